"""The door through which Hydra comes to rnnlab's sweeps; light, since every Hydra program opens it."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class RnnlabSweeper(Sweeper):
    """Runs a sweep that goes on where it was cut off, see :mod:`rnnlab.sweeps`."""

    def __init__(self) -> None:
        self.task_function: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that the command's words describe."""
        from rnnlab.sweeps.launching import HydraSide
        from rnnlab.sweeps.sweep import sweep

        assert self.hydra_context is not None
        assert self.config is not None
        assert self.task_function is not None
        sweep(arguments, HydraSide(self.hydra_context, self.config, self.task_function))

"""The vanishing gradient, drawn when a sweep over distances is done."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from rnnlab.terminal import console, shown


class DrawWhenSwept(Callback):
    """Draws the figure when a sweep is done, into ``figures/`` of its folder; Hydra calls it."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Draw what is finished.

        Raises:
            RunError: if nothing is.
        """
        # Here, and not above: until its jobs are done, a sweep needs neither torch nor matplotlib.
        from rnnlab.runs.vanishing_gradient import draw_vanishing_gradient

        folder = Path(config.hydra.sweep.dir)
        # Not logged: where jobs run in other processes, nobody set up the log of this one.
        figure = draw_vanishing_gradient([folder], folder / "figures")
        console.print(f"Figure  {shown(figure)}")

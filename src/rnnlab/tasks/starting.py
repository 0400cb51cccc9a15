"""How a training starts from another run: what it takes of its configuration, its data and its weights."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from rnnlab.errors import RunError

if TYPE_CHECKING:
    from rnnlab.data.task_data import TaskData
    from rnnlab.tasks.task import Task


@dataclass(frozen=True)
class Source:
    """What a training may take from a checkpoint of another run; the checkpoint is only read."""

    checkpoint: Path
    config: dict[str, Any]
    """The run's resolved configuration."""
    metadata: dict[str, Any]
    """What the checkpoint keeps of the run's data: vocabulary, tokenizer, classes, where there are."""
    weights: dict[str, Tensor]


class Starting(ABC):
    """A task's way to start from another run; a run that goes on is a source of its own."""

    def read(self, file: Path) -> Source:
        """Return what a file that is none of rnnlab's holds.

        Raises:
            RunError: if nothing of it can be used.
        """
        raise RunError(f"init_from={file}: this is no run and no checkpoint.")

    @abstractmethod
    def check_source(self, source: Source) -> None:
        """Check that a training can start from such a run.

        Raises:
            RunError: if it can't.
        """

    @abstractmethod
    def adopted(self, config: Mapping[str, Any], source: Source, said: Collection[str]) -> dict[str, Any]:
        """Return the configuration of a training that starts from ``source``: its own wherever none is said.

        Args:
            config: as composed.
            source: what training starts from.
            said: dotted keys such as ``model.hidden_size`` that the command line or a recipe sets.

        Raises:
            RunError: if the source names a class that neither rnnlab nor the command knows.
        """

    @abstractmethod
    def check_agreement(self, config: Mapping[str, Any], source: Source) -> None:
        """Check that a training as configured can start from ``source``.

        Raises:
            ConfigError: if it can't; each key is shown with both values.
        """

    @abstractmethod
    def read_as(self, data: "TaskData", source: Source, config: Mapping[str, Any]) -> None:
        """Let data that are not prepared yet be read as the source's were."""

    @abstractmethod
    def take(self, task: "Task", source: Source, data: "TaskData") -> None:
        """Take the source's weights into a new task, and report it.

        Raises:
            ConfigError: if sizes differ.
        """

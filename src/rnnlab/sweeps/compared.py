"""The validation metric by which a sweep's jobs are compared."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab.errors import DamagedFileError
from rnnlab.tasks.choosing import Choice, choice_of, stated_by
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compared(Choice):
    """The validation metric by which jobs are compared."""

    def value(self, metrics_file: Path) -> float | None:
        """Return the metric of a finished run; ``None`` of others, and, with a warning, of damaged ones."""
        folder = RunFolder(metrics_file.parent)
        if not folder.metrics_file.exists():
            return None
        split, _, name = self.monitor.partition("/")
        try:
            found = (folder.metrics().get(split) or {}).get(name)
        except DamagedFileError as error:
            log.warning("%s", error)
            return None
        return None if found is None else float(found)


def compared_by(config: Mapping[str, Any]) -> Compared:
    """Return the metric by which runs of this configuration choose their best checkpoint.

    Raises:
        ConfigError: if the configuration says one whose mode is not known.
    """
    settings = config.get("callbacks", {}).get("checkpoint", {})
    choice = choice_of(settings, own_choice(config["task"]["_target_"]), "callbacks.checkpoint")
    return Compared(choice.monitor, choice.mode)


def own_choice(target: str) -> Choice:
    """Return the metric that a task states.

    Importing the class takes half of the time that a sweep in several processes, which import torch and
    Lightning once more, needs to begin: of rnnlab's tasks the package says it.
    """
    stated = stated_by(target)
    if stated is not None:
        return stated
    from rnnlab.build import locate_class
    from rnnlab.tasks.task import Task

    task = locate_class(target, Task, "task")
    return Choice(task.monitor, task.mode)

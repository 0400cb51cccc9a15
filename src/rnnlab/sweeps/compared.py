"""The validation metric by which a sweep's jobs are compared."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rnnlab.errors import DamagedFileError
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)

Mode = Literal["min", "max"]

OWN_TASKS: Mapping[str, tuple[str, Mode]] = {
    "rnnlab.models.sentiment.SentimentClassifier": ("validation/accuracy", "max"),
    "rnnlab.models.language_model.LanguageModel": ("validation/perplexity", "min"),
    "rnnlab.models.memory.MemoryTask": ("validation/loss", "min"),
}
"""The ``monitor`` and ``mode`` of rnnlab's tasks. The classes know them, but importing those takes half of
the time that a sweep in several processes, which import torch and Lightning once more, needs to begin."""


@dataclass(frozen=True)
class Compared:
    """The validation metric by which jobs are compared.

    Attributes:
        monitor: such as ``validation/accuracy``.
        mode: whether it is best at its ``min`` or its ``max``.
    """

    monitor: str
    mode: Mode

    def value(self, metrics_file: Path) -> float | None:
        """Return the metric of a finished run; ``None`` of others, and, with a warning, of damaged figures."""
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
    """Return the metric by which runs of this configuration's task choose their best checkpoint."""
    target = config["task"]["_target_"]
    if target in OWN_TASKS:
        return Compared(*OWN_TASKS[target])
    from rnnlab.build import locate_class
    from rnnlab.models.task import Task

    task = locate_class(target, Task, "task")
    return Compared(task.monitor, task.mode)

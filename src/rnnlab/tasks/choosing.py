"""The validation metric that chooses: the best checkpoint, when to stop early, what runs are compared by.

A task states it once (``Task.monitor`` and ``Task.mode``; rnnlab's own in ``OBJECTIVE`` of their package);
``callbacks.checkpoint.monitor`` and ``callbacks.early_stopping.monitor`` may say another. Nothing here needs
torch: sweeps and tables ask, too.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NamedTuple, SupportsFloat, cast, get_args

from rnnlab.errors import ConfigError, nearest

Mode = Literal["min", "max"]

SPLIT, LOSS, OTHERS = "validation/", "validation/loss", ("train/", "test/")
MODES: Mapping[str, Mode] = {
    **dict.fromkeys(("accuracy", "f1", "f1_micro", "f1_macro", "exact_match", "auroc"), "max"),
    **dict.fromkeys(("loss", "perplexity", "bits_per_character", "wer", "cer", "ser"), "min"),
}
"""Where the metrics of rnnlab's tasks are best; of a class, as ``f1/positive``, as over all."""


class Score(NamedTuple):
    """What a validation reached: the metric that chooses, and the loss, which decides between equals."""

    value: float
    loss: float


@dataclass(frozen=True)
class Choice:
    """The metric that chooses.

    Attributes:
        monitor: its full name, such as ``validation/accuracy``.
        mode: whether it is best at its ``min`` or its ``max``.
    """

    monitor: str
    mode: Mode

    def score(self, metrics: Mapping[str, SupportsFloat]) -> Score:
        """Return the score among a validation's metrics by their full names; the loss is NaN where it lacks.

        Raises:
            ConfigError: if the validation has no such metric.
        """
        if self.monitor not in metrics:
            check_monitor(self.monitor, [name for name in metrics if name.startswith(SPLIT)])
        return Score(float(metrics[self.monitor]), float(metrics.get(LOSS, math.nan)))

    def is_better(self, new: Score, old: Score | None) -> bool:
        """Return whether a score is better; of equals, and where both are no numbers, the lower loss is."""
        if old is None:
            return True
        if new.value == old.value or (math.isnan(new.value) and math.isnan(old.value)):
            return new.loss < old.loss
        if math.isnan(old.value):
            return True
        return new.value > old.value if self.mode == "max" else new.value < old.value


def choice_of(settings: Mapping[str, Any], own: Choice, where: str, known: Collection[str] = ()) -> Choice:
    """Return the choice that a section of the configuration makes.

    Args:
        settings: with ``monitor``, None for ``own``'s, and ``mode``, None for the way the metric is known.
        own: what chooses where the section says nothing.
        where: the section, for errors.
        known: the names of what the task's validation logs; none where they are not known.

    Raises:
        ConfigError: if the mode is neither, or has to be said.
    """
    name, mode = settings.get("monitor"), settings.get("mode")
    if not isinstance(name, str | None):
        raise ConfigError(f"{where}.monitor={name}: expected the name of a metric, such as {LOSS}.")
    if mode not in (None, *get_args(Mode)):
        raise ConfigError(
            f"{where}.mode={mode}: expected min or max, or null for what is known of the metric."
        )
    if isinstance(name, str) and name.startswith(OTHERS):
        raise ConfigError(f"{where}.monitor={name}: only a metric of the validation split can choose.")
    monitor = own.monitor if name is None else f"{SPLIT}{name.removeprefix(SPLIT)}"
    if mode is None:
        mode = own.mode if monitor == own.monitor else MODES.get(monitor.removeprefix(SPLIT).split("/")[0])
    if mode is None:
        names = [metric.removeprefix(SPLIT) for metric in known] or MODES
        raise ConfigError(
            f"{where}.monitor={name}: no task of rnnlab's has such a metric. {nearest(str(name), names)} "
            f"Of one of your own, say where it is best: {where}.mode=min or {where}.mode=max."
        )
    return Choice(monitor, cast(Mode, mode))


def check_monitor(monitor: str, metrics: Iterable[str], where: str = "callbacks.checkpoint.monitor") -> None:
    """Check that a validation has a metric.

    Raises:
        ConfigError: naming the nearest.
    """
    known = sorted(metrics)
    if monitor not in known:
        raise ConfigError(f"{where}: no validation has the metric {monitor}. {nearest(monitor, known)}")


def stated_by(target: str) -> Choice | None:
    """Return the metric that a class of rnnlab's tasks states, read from its package; None of any other.

    >>> stated_by("rnnlab.tasks.memory.task.MemoryTask"), stated_by("my_task.Focal")
    (Choice(monitor='validation/loss', mode='min'), None)
    """
    package = target.rpartition(".")[0].rpartition(".")[0]
    if not package.startswith("rnnlab.tasks."):
        return None
    with suppress(ImportError):
        stated = getattr(import_module(package), "OBJECTIVE", None)
        return stated if isinstance(stated, Choice) else None
    return None

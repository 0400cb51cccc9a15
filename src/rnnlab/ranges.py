"""Which numbers make sense at which key: one table, looked at before anything is built or read.

Where a class checks a value itself, and in whatever way it is used, that is its own affair; here stands what
nobody else would refuse, or only after minutes.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rnnlab.errors import ConfigError

LARGEST = 2**63
OURS = ("rnnlab.", "torch.")
"""Packages of the classes whose keys the table knows; in a section of another class they may mean other."""


@dataclass(frozen=True)
class Range:
    """The numbers that make sense.

    Attributes:
        least: the smallest.
        most: the largest.
        whole: whether only whole numbers are meant.
        above: whether ``least`` itself is too small.
        below: whether ``most`` itself is too large.
        also: values besides.
    """

    least: float = -math.inf
    most: float = math.inf
    whole: bool = False
    above: bool = False
    below: bool = False
    also: tuple[Any, ...] = (None,)

    def holds(self, value: Any) -> bool:
        """Return whether a value is meant."""
        if any(value is one or (type(value) is type(one) and value == one) for one in self.also):
            return True
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        high_enough = value > self.least if self.above else value >= self.least
        return high_enough and (value < self.most if self.below else value <= self.most)

    def __str__(self) -> str:
        """Return it as a person says it."""
        said = "a whole number" if self.whole else "a number"
        if self.least > -math.inf:
            said += f" above {self.least:g}" if self.above else f" from {self.least:g}"
        if self.most < math.inf:
            said += f" to below {self.most:g}" if self.below else f" to {self.most:g}"
        return " or ".join([said, *map(typed_value, self.also)])


def whole(least: int, *also: Any) -> Range:
    """Return the whole numbers from ``least``, and values besides."""
    return Range(least, whole=True, also=also)


SHARE = Range(0, 1, below=True, also=())
POSITIVE = Range(0, above=True, also=())
NOT_NEGATIVE = Range(0, also=(None,))


@dataclass(frozen=True)
class PartOrCount:
    """Of batches: a share above 0 to 1 as a fraction, or a number of them from 1."""

    def holds(self, value: Any) -> bool:
        """Return whether a value is meant."""
        if isinstance(value, float):
            return 0 < value <= 1
        return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)

    def __str__(self) -> str:
        """Return it as a person says it."""
        return "a share above 0 to 1.0 of the batches, or a whole number of them from 1"


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Return whether a value is meant."""
        return any(type(value) is type(one) and value == one for one in self.values)

    def __str__(self) -> str:
        """Return it as a person says it."""
        return " or ".join(map(shown, self.values))


Wanted = Range | PartOrCount | OneOf

TABLE: Mapping[str, Wanted] = {
    "seed": Range(0, 2**32 - 1, whole=True, also=()),
    "trainer.max_epochs": whole(1, -1, None),
    "trainer.max_steps": whole(1, -1),
    "trainer.min_*": whole(0, None),
    "trainer.num_nodes": whole(1),
    "trainer.gradient_clip_val": NOT_NEGATIVE,
    "trainer.accumulate_grad_batches": whole(1),
    "trainer.log_every_n_steps": whole(0, None),
    "trainer.check_val_every_n_epoch": whole(1, None),
    "trainer.val_check_interval": PartOrCount(),
    "trainer.limit_*_batches": PartOrCount(),
    "trainer.cuda_graph": OneOf((True, False)),
    "trainer.deterministic": OneOf((True, False, "warn", None)),
    "batches.max_tokens": whole(1, None),
    "batches.batch_size": whole(1, None),
    "batches.max_length": whole(1, None),
    "batches.max_seconds": Range(0, above=True),
    "batches.overfit": whole(1, None),
    "batches.bptt": whole(1),
    "batches.evaluation_batch_size": whole(1),
    "batches.train": whole(1),
    "batches.validation": whole(1),
    "batches.test": whole(1),
    "data.epochs": whole(1),
    "data.labelled": whole(1, None),
    "data.vocabulary.max_size": whole(1, None),
    "data.vocabulary.min_frequency": whole(0),
    "data.corpus.seed": whole(0),
    "data.corpus.*_fraction": SHARE,
    "tokenizer.vocab_size": whole(1),
    "model.hidden_size": whole(1, None),  # where model.parameters choose it
    "model.parameters": whole(1, None),
    "model.output_size": whole(1, None),
    "model.layers": Range(1, 1000, whole=True, also=()),
    "model.*dropout": SHARE,
    "model.forget_bias": Range(),
    "optimizer.lr": Range(0, also=()),
    "optimizer.*decay": NOT_NEGATIVE,
    "optimizer.patience": whole(0),
    "scheduler.patience": whole(0),
    "scheduler.cooldown": whole(0),
    "scheduler.factor": Range(0, 1, above=True, below=True, also=()),
    "scheduler.gamma": POSITIVE,
    "scheduler.decay": Range(0, 1, above=True, also=()),
    "scheduler.constant_epochs": whole(0),
    "scheduler.pct_start": Range(0, 1, also=()),
    "scheduler.cut_fraction": Range(0, 1, above=True, below=True, also=()),
    "scheduler.ratio": Range(1, also=()),
    "scheduler.*div_factor": POSITIVE,
    "scheduler.step_size": whole(1),
    "scheduler.T_max": whole(1),
    "task.embedding_size": whole(1),
    "task.dropout": SHARE,
    **{f"task.{part}_dropout": SHARE for part in ("embedding", "word", "input", "output")},
    "task.bptt": whole(1, None),
    "task.unfreezing_epochs": whole(0),
    "task.discriminative_factor": POSITIVE,
    "task.language_loss.weight": NOT_NEGATIVE,
    "task.*_regularisation": NOT_NEGATIVE,
    "task.initial_range": Range(0, above=True),
    "task.cutoffs.*": whole(1),
    "task.language_loss.cutoffs.*": whole(1),
    "task.quantiles.*": Range(0, 1, above=True, below=True, also=()),
    "task.segment": whole(1),
    "task.*forcing": Range(0, 1),
    "task.huber_delta": POSITIVE,
    "data.horizon": whole(1),
    "data.look_back": whole(1),
    "callbacks.early_stopping.patience": whole(0, None),
    "callbacks.early_stopping.min_delta": NOT_NEGATIVE,
    "callbacks.averaging.decay": Range(0, 1, above=True, below=True),
    "callbacks.checkpoint.every_n_epochs": whole(1, None),
    "callbacks.checkpoint.every_n_steps": whole(1, None),
    "callbacks.checkpoint.every_minutes": Range(0, above=True),
    "callbacks.diagnostics.sequences": whole(1),
    "logger.words": whole(0),
    "sweep.at_once": whole(1, None),
    "sweep.threads": whole(1, None),
    "sweep.trials": whole(1),
    "sweep.random_trials": whole(1),
    "sweep.patience": whole(0),
    "sweep.seed": whole(0),
}
"""By the key, ``*`` for any part of it."""


def check_ranges(config: Mapping[str, Any], table: Mapping[str, Wanted] = TABLE) -> None:
    """Check every number of a configuration.

    Raises:
        ConfigError: naming all that make no sense, with those that would.
    """
    wrong = [f"{key}={shown(value)}: expected {wanted}." for key, value, wanted in senseless(config, table)]
    if wrong:
        raise ConfigError("\n".join(wrong))


def senseless(config: Mapping[str, Any], table: Mapping[str, Wanted]) -> Iterator[tuple[str, Any, str]]:
    """Yield the keys whose values make no sense, the values, and what would."""
    theirs = {
        name
        for name, section in config.items()
        if isinstance(section, Mapping) and not str(section.get("_target_", OURS[0])).startswith(OURS)
    }
    for key, value in leaves(config):
        if isinstance(value, float) and not math.isfinite(value):
            yield key, value, "a finite number"
        elif isinstance(value, int) and abs(value) >= LARGEST:
            yield key, value, "a number of at most 19 digits"
        elif key.split(".")[0] not in theirs:
            wanted = next((wanted for name, wanted in table.items() if fnmatchcase(key, name)), None)
            if wanted is not None and not wanted.holds(value):
                yield key, value, str(wanted)


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each plain value with its dotted key; those of a list with their places.

    >>> list(leaves({"task": {"cutoffs": [2, 4]}, "seed": 1}))
    [('task.cutoffs.0', 2), ('task.cutoffs.1', 4), ('seed', 1)]
    """
    if isinstance(config, Mapping | list | tuple):
        for key, value in config.items() if isinstance(config, Mapping) else enumerate(config):
            yield from leaves(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config


def shown(value: Any) -> str:
    """Return a value as a person types it, cut where it is endless.

    >>> shown(None), shown(True), shown(10**5000)
    ('null', 'true', 'a number of 5001 digits')
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LARGEST:
        return f"a number of {math.floor(math.log10(abs(value))) + 1} digits"
    return typed_value(value)[:80]


def typed_value(value: Any) -> str:
    """Return a value as a person types it.

    >>> typed_value(None), typed_value(True), typed_value(1), typed_value(0.001)
    ('null', 'true', '1', '0.001')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)

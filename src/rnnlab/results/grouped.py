"""Runs as rows: means, their deviation where runs differ in their seed alone, and how many they are."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import Any

from rnnlab.results.differing_keys import ABSENT, comparable, differing_keys, row_of
from rnnlab.results.found_runs import FoundRun

STATUSES = ("finished", "running", "interrupted", "pruned", "failed", "empty", "waiting", "broken")


@dataclass(frozen=True)
class Spread:
    """A metric over several runs.

    Attributes:
        mean: over the runs that have it; runs of one seed count as one.
        deviation: the sample standard deviation over seeds and folds; None of a single one, and of runs that
            differ in more.
        count: how many runs have it.
        range: the lowest and the highest, of runs that differ in more than their seeds.
    """

    mean: float
    deviation: float | None
    count: int
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """Runs of one kind.

    Attributes:
        values: of the keys that tell the rows apart.
        runs: the runs, also those that are not finished.
        metrics: over the finished runs; of a row without one over the others, their best so far.
        seconds: mean wall time of the runs that the metrics are of.
        tokens_per_second: their mean rate.
        mixed: keys besides the seed in which the runs that the metrics are of differ.
    """

    values: Mapping[str, Any]
    runs: Sequence[FoundRun]
    metrics: Mapping[str, Spread] = field(default_factory=dict)
    seconds: float | None = None
    tokens_per_second: float | None = None
    mixed: Sequence[str] = ()

    @property
    def settings(self) -> int:
        """How many settings, seeds aside, the metrics are of."""
        return len({row_of(run.config, self.mixed) for run in self.counted if run.metrics})

    @property
    def counted(self) -> list[FoundRun]:
        """The runs that the metrics are of."""
        finished = [run for run in self.runs if run.status == "finished"]
        return finished or list(self.runs)

    @property
    def seeds(self) -> int:
        """How many different seeds the metrics are of."""
        return len({run.config.get("seed") for run in self.counted if run.metrics})

    @property
    def folds(self) -> int:
        """How many different parts of a cross-validation the metrics are of; 0 without one."""
        folds = {run.config.get("fold") for run in self.counted if run.metrics}
        return len(folds - {None})

    @property
    def status(self) -> str:
        """What has become of the runs, such as ``2 finished, 1 failed``."""
        counts = {name: sum(run.status == name for run in self.runs) for name in STATUSES}
        told = {name: count for name, count in counts.items() if count}
        if len(self.runs) == 1:
            return next(iter(told))
        return ", ".join(f"{count} {name}" for name, count in told.items())


def grouped(runs: Sequence[FoundRun], keys: Sequence[str]) -> list[Row]:
    """Return a row for each combination of the keys' values that occurs, in the order of the runs."""
    groups: dict[tuple[Hashable, ...], list[FoundRun]] = {}
    for run in runs:
        groups.setdefault(row_of(run.config, keys), []).append(run)
    return [row(members, keys) for members in groups.values()]


def row(runs: Sequence[FoundRun], keys: Sequence[str]) -> Row:
    """Return runs of one kind as a row."""
    values = {key: runs[0].config.get(key, ABSENT) for key in keys}
    bare = Row(values, runs)
    counted = bare.counted
    names = dict.fromkeys(name for run in counted for name in run.metrics)
    mixed = differing_keys([run.config for run in counted if run.metrics and not run.is_partial])
    over = spread_over_settings if mixed else spread_over_seeds
    return Row(
        values,
        runs,
        {name: over(name, [run for run in counted if name in run.metrics]) for name in names},
        mean([run.seconds for run in counted]),
        mean([run.tokens_per_second for run in counted]),
        mixed,
    )


def spread_over_seeds(name: str, runs: Sequence[FoundRun]) -> Spread:
    """Return a metric of runs that differ in seed or fold alone; what was run twice counts once."""
    by_chance: dict[Hashable, list[float]] = {}
    for run in runs:
        by_chance.setdefault(chance_of(run), []).append(run.metrics[name])
    return replace(spread([fmean(values) for values in by_chance.values()]), count=len(runs))


def chance_of(run: FoundRun) -> Hashable:
    """Return what of a run is chance: its seed, and the part of a cross-validation that it is tested on."""
    return comparable(run.config.get("seed")), comparable(run.config.get("fold"))


def spread_over_settings(name: str, runs: Sequence[FoundRun]) -> Spread:
    """Return a metric of runs of several settings, the deviation of which would say nothing of chance."""
    values = [run.metrics[name] for run in runs]
    found = spread(values)
    return replace(
        found, deviation=None, range=None if math.isnan(found.mean) else (min(values), max(values))
    )


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation; NaN where a value is no number.

    >>> found = spread([1.0, 3.0])
    >>> found.mean, found.deviation, found.count, spread([2.0]).deviation
    (2.0, 1.4142135623730951, 2, None)
    """
    if not all(map(math.isfinite, values)):
        return Spread(math.nan, None if len(values) < 2 else math.nan, len(values))
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of what is there."""
    there = [value for value in values if value is not None]
    return fmean(there) if there else None

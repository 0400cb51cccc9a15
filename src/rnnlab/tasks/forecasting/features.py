"""What a network reads of series: which columns, in which order, on which scale. Kept in every checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.frequency import Frequency
from rnnlab.corpora.series import Borders, Columns, Reading, Series
from rnnlab.signals.calendar import calendar, calendar_columns
from rnnlab.signals.scaling import Scaling, fitted

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """How the rows of a series become what a network reads.

    A step's columns are the targets, the covariates known up to now, then what is known ahead of time: the
    covariates named so, the static ones, sine and cosine of the calendar.

    Attributes:
        columns: names of the series' columns.
        calendar: parts of the calendar.
        kind: of the scaling, see :func:`rnnlab.signals.scaling.fitted`.
        frequency: how far apart steps are.
        reading: how a table of further steps is read.
        names: of the series in training.
        scaling: of each series and column, static ones among them.
        naive: ``(series, targets)``, the mean size of the change over a season in training, in real units;
            NaN where there is none.
        marks: whether a value's absence is told, too.
    """

    columns: Columns
    calendar: tuple[str, ...]
    kind: str
    frequency: Frequency
    reading: Reading
    names: tuple[str, ...]
    scaling: Scaling
    naive: Numbers
    marks: bool

    @classmethod
    def fitted(
        cls,
        series: Sequence[Series],
        borders: Sequence[Borders],
        columns: Columns,
        calendar: Sequence[str],
        kind: str,
        frequency: Frequency,
        reading: Reading,
    ) -> "Features":
        """Return the features that training splits ask for; nothing after their ends is looked at.

        Raises:
            ConfigError: if there is no such scaling.
        """
        training = [raw(its)[: border.train] for its, border in zip(series, borders, strict=True)]
        targets, past = len(columns.targets), len(columns.past)
        own = targets + past
        shared = [False] * own + [True] * (len(columns.future) + len(columns.static))
        naive = np.stack([naive_change(rows[:, :targets], frequency.season) for rows in training])
        return cls(
            columns=columns,
            calendar=tuple(calendar),
            kind=kind,
            frequency=frequency,
            reading=replace(reading, frequency=frequency),
            names=tuple(its.name for its in series),
            scaling=fitted(kind, training, shared),
            naive=naive,
            marks=any(bool(np.isnan(rows[:, :own]).any()) for rows in training),
        )

    @property
    def ahead(self) -> tuple[str, ...]:
        """Names of what is known ahead of time."""
        return (*self.columns.future, *self.columns.static, *calendar_columns(self.calendar))

    @property
    def read(self) -> tuple[str, ...]:
        """Names of a step's columns, whether a value was known last."""
        told = (*self.columns.targets, *self.columns.past)
        return (*told, *self.ahead, *(f"{name} is known" for name in told if self.marks))

    def on_scale(self, series: Series, number: int) -> npt.NDArray[np.float32]:
        """Return a series' columns on the scale of training ``(rows, columns)``, NaN where one is missing.

        Args:
            series: one of the kind.
            number: whose scale.
        """
        scaled = self.scaling.scaled(raw(series), number)
        return np.column_stack((scaled, calendar(series.times, self.calendar))).astype(np.float32)

    def of_others(self, series: Sequence[Series], borders: Sequence[Borders], keep: bool) -> "Features":
        """Return the features of other series: known ones keep their scale, others get that of their own.

        What all series share, as the covariates known ahead of time, keeps its scale in either case: so no
        series' forecast depends on which others it is asked with.

        Args:
            series: the others.
            borders: of each; what lies before ``train`` decides the scale.
            keep: whether a series of the same name is the same series.
        """
        settings = (self.columns, self.calendar, self.kind, self.frequency, self.reading)
        found = replace(Features.fitted(series, borders, *settings), marks=self.marks)
        own = len(self.columns.targets) + len(self.columns.past)
        for part in ("location", "scale", "constant"):
            getattr(found.scaling, part)[:, own:] = getattr(self.scaling, part)[0, own:]
        numbers = {whole(name): number for number, name in enumerate(self.names)} if keep else {}
        numbers.update((name, number) for number, name in enumerate(self.names) if keep)
        for place, its in enumerate(series):
            number = numbers.get(its.name, numbers.get(whole(its.name)))
            if number is not None:
                for part in ("location", "scale", "constant"):
                    getattr(found.scaling, part)[place] = getattr(self.scaling, part)[number]
                found.naive[place] = self.naive[number]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "columns": {name: list(columns) for name, columns in asdict(self.columns).items()},
            "calendar": list(self.calendar),
            "scaling": self.kind,
            "frequency": str(self.frequency),
            "reading": {**asdict(self.reading), "frequency": None},
            "names": list(self.names),
            "location": self.scaling.location.tolist(),
            "scale": self.scaling.scale.tolist(),
            "naive": self.naive.tolist(),
            "marks": self.marks,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Features":
        """Return what :meth:`to_dict` returned.

        Raises:
            KeyError, TypeError, ValueError or ConfigError: if it was something else.
        """
        columns = Columns(**{name: tuple(map(str, names)) for name, names in content["columns"].items()})
        frequency = Frequency.named(content["frequency"])
        location, scale, naive = (
            np.array(content[name], dtype=np.float64) for name in ("location", "scale", "naive")
        )
        count = len(content["names"])
        width = len(columns.moving) + len(columns.static)
        if not (
            location.shape == scale.shape == (count, width) and naive.shape == (count, len(columns.targets))
        ):
            raise ValueError("the scaling is not one of these series and columns")
        return cls(
            columns=columns,
            calendar=tuple(map(str, content["calendar"])),
            kind=str(content["scaling"]),
            frequency=frequency,
            reading=replace(Reading(**content["reading"]), frequency=frequency),
            names=tuple(map(str, content["names"])),
            scaling=Scaling(location, scale, np.zeros(location.shape, dtype=np.bool_)),
            naive=naive,
            marks=bool(content["marks"]),
        )


def whole(name: str) -> str:
    """Return a series' name without the fraction which a data frame adds to whole numbers.

    >>> whole("12.0"), whole("12.05"), whole("v2.0")
    ('12', '12.05', 'v2.0')
    """
    number = name.removesuffix(".0")
    return number if number.removeprefix("-").isdigit() else name


def raw(series: Series) -> Numbers:
    """Return a series' columns in real units, the static ones at each step: ``(rows, columns)``."""
    static = np.broadcast_to(series.static, (len(series.values), len(series.static)))
    return np.column_stack((series.values, static))


def naive_change(values: Numbers, season: int) -> Numbers:
    """Return the mean size of the change over a season ``(targets,)``; NaN where there is none."""
    changes = np.abs(values[season:] - values[:-season])
    known = np.isfinite(changes)
    count = known.sum(axis=0)
    total = np.where(known, changes, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)

"""Records become series: times parsed, sorted and checked, numbers checked, each complaint with its line."""

import logging
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.frequency import Frequency, Times, inferred, told
from rnnlab.corpora.records import Records
from rnnlab.corpora.series import Columns, Reading, Series
from rnnlab.corpora.written_values import Clock, number_in, series_name
from rnnlab.errors import DataError

log = logging.getLogger(__name__)

Numbers = npt.NDArray[np.float64]


def read_series(
    tables: Sequence[Records], columns: Columns, reading: Reading
) -> tuple[list[Series], Frequency]:
    """Return the series of tables, in the order in which they first appear, and their frequency.

    Args:
        tables: the records; without an id column each table is a series.
        columns: their names.
        reading: how to read them.

    Raises:
        DataError: naming file and line, for a missing column, a time that does not parse or comes twice, a
            missing step, a number that is none or infinite, a static covariate that changes.
    """
    rows = _gathered(tables, columns, reading)
    if not rows.names:
        raise DataError(f"{tables[0].source} has no rows.")
    ends = np.cumsum(np.bincount(rows.codes))[:-1]
    parts = np.split(np.argsort(rows.codes, kind="stable"), ends)
    ordered = [_in_order(rows, part) for part in parts]
    longest = max(ordered, key=len)
    frequency = reading.frequency or inferred(rows.times[longest])
    if frequency is None or (frequency.unit == "step") != (rows.times.dtype.kind != "M"):
        wrong = f"{frequency} does not fit its times" if frequency else "a single time tells no frequency"
        raise DataError(
            f"{rows.place(longest[0])}: {wrong}. Set data.corpus.frequency, for example to h, D or 15min."
        )
    found = [_series(rows, part, columns, frequency, reading.gaps) for part in ordered]
    return found, frequency


@dataclass
class _Rows:
    """All rows of all tables; ``numbers`` holds a row's values, then its static ones."""

    tables: Sequence[Records]
    width: int
    names: list[str] = field(default_factory=list)
    codes: Any = field(default_factory=lambda: array("q"))
    times: Any = field(default_factory=lambda: array("q"))
    numbers: Any = field(default_factory=lambda: array("d"))
    lines: Any = field(default_factory=lambda: array("q"))
    sources: Any = field(default_factory=lambda: array("q"))
    in_utc: bool = False

    def place(self, row: int) -> str:
        """Return where a row stands."""
        return self.tables[int(self.sources[row])].place(int(self.lines[row]))

    def told(self, time: Any) -> str:
        """Return a time for a message."""
        return told(time, self.in_utc)

    def seal(self, are_dates: bool) -> "_Rows":
        """Turn what grew into arrays."""
        for name in ("codes", "times", "lines", "sources"):
            setattr(self, name, np.frombuffer(getattr(self, name), dtype=np.int64))
        self.numbers = np.frombuffer(self.numbers, dtype=np.float64).reshape(-1, self.width)
        if are_dates:
            self.times = self.times.view("datetime64[us]")
        return self


def _gathered(tables: Sequence[Records], columns: Columns, reading: Reading) -> _Rows:
    names = (*columns.moving, *columns.static)
    rows, clock = _Rows(tables, len(names)), Clock(reading.time, reading.time_format)
    codes: dict[str, int] = {}
    for source, table in enumerate(tables):
        for number, name, time, values in _values(table, names, reading):
            rows.codes.append(codes.setdefault(name, len(codes)))
            rows.lines.append(number)
            rows.sources.append(source)
            try:
                rows.times.append(clock.read(time))
                rows.numbers.extend(map(number_in, values, names))
            except ValueError as error:
                raise DataError(f"{table.place(number)}: {error}") from error
    rows.names, rows.in_utc = list(codes), clock.in_utc
    return rows.seal(clock.are_dates)


def _values(
    table: Records, names: Sequence[str], reading: Reading
) -> Iterator[tuple[int, str, object, Sequence[object]]]:
    """Yield number, series, time and numbers of each record."""
    asked = [reading.time, *names] if reading.id is None else [reading.time, reading.id, *names]
    for number, record in table.read(asked):
        if reading.id is None:
            yield number, table.series, record[0], record[1:]
        elif name := series_name(record[1]):
            yield number, name, record[0], record[2:]
        else:
            raise DataError(f"{table.place(number)}: {reading.id} is empty, so that its series is not known.")


def _in_order(rows: _Rows, part: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the rows of a series in the order of time; each time may occur once."""
    times = rows.times[part]
    backwards = np.flatnonzero(np.diff(times.astype(np.int64)) < 0)
    if len(backwards):
        log.warning(
            "%s: not in the order of time, here for the first time; the rows are sorted.",
            rows.place(int(part[backwards[0] + 1])),
        )
        part = part[np.argsort(times, kind="stable")]
        times = rows.times[part]
    twice = np.flatnonzero(np.diff(times.astype(np.int64)) == 0)
    if len(twice):
        first, second = (rows.place(int(part[at])) for at in (twice[0], twice[0] + 1))
        raise DataError(
            f"{second}: {rows.told(times[twice[0]])} comes twice{_of(rows, part)}, also in {first}. Remove "
            "one of them, or name the column that tells series apart in data.corpus.id."
        )
    return part


def _series(
    rows: _Rows, part: npt.NDArray[np.int64], columns: Columns, frequency: Frequency, gaps: str
) -> Series:
    """Return one series on the grid of the frequency."""
    moving = len(columns.moving)
    static = _static(rows, part, columns)
    places = _places(rows, part, frequency, gaps)
    values = np.full((int(places[-1]) + 1, moving), np.nan)
    values[places] = rows.numbers[part, :moving]
    if gaps == "last":
        latest = np.zeros(len(values), dtype=np.int64)
        latest[places] = np.arange(len(places))
        values = rows.numbers[part, :moving][np.maximum.accumulate(latest)]
    known = np.flatnonzero(np.isfinite(values[:, : len(columns.targets)]).any(axis=1))
    name = rows.names[rows.codes[part[0]]]
    if not len(known):
        raise DataError(
            f"{rows.place(int(part[0]))}: no value of {', '.join(columns.targets)}{_of(rows, part)}."
        )
    times = frequency.grid(rows.times[part], len(values))
    _check_known_ahead(rows, part, places, values, times, columns)
    return Series(name, times, values, static, int(known[-1]) + 1, rows.in_utc)


def _places(
    rows: _Rows, part: npt.NDArray[np.int64], frequency: Frequency, gaps: str
) -> npt.NDArray[np.int64]:
    """Return the steps of a series' rows, counted from its first; gaps only where they are asked for."""
    times = rows.times[part]
    origin = frequency.origin(times)
    places, fits = frequency.places(times, origin)
    places -= places[0]
    if not fits.all():
        at = int(np.flatnonzero(~fits)[0])
        to_do = "Correct the time, or set another data.corpus.frequency."
        if rows.in_utc and frequency.is_of_days:
            to_do += (
                " Times with an offset are taken as UTC, in which the days of a clock with summer time are "
                "not equally long: write such days without an offset."
            )
        raise DataError(
            f"{rows.place(int(part[at]))}: {rows.told(times[at])} is no whole number of steps of "
            f"{frequency} from {rows.told(origin)}{_of(rows, part)}. {to_do}"
        )
    distances = np.diff(places)
    holes = np.flatnonzero(distances > 1)
    if len(holes) and gaps == "refuse":
        at, missing = int(holes[0]), int((distances[holes] - 1).sum())
        before, after = (rows.told(time) for time in times[at : at + 2])
        raise DataError(
            f"{rows.place(int(part[at + 1]))}: {after} follows {before}, but steps are {frequency} apart "
            f"({len(holes):,} gaps, {missing:,} steps missing{_of(rows, part)}). Set "
            "data.corpus.gaps=mask to take them for missing values, data.corpus.gaps=last to repeat the last "
            "values, or data.corpus.frequency if steps are further apart."
        )
    return places


def _static(rows: _Rows, part: npt.NDArray[np.int64], columns: Columns) -> Numbers:
    """Return a series' static covariates, which must be the same in all its rows."""
    found: Numbers = rows.numbers[part, len(columns.moving) :]
    wrong = np.argwhere(~(found == found[0]))
    if len(wrong):
        row, column = wrong[0]
        name, values = columns.static[column], f"{found[0, column]:g} and {found[row, column]:g}"
        raise DataError(
            f"{rows.place(int(part[row]))}: the static {name} is {values}{_of(rows, part)}. "
            "It must be known, and the same in all rows of a series; else name it in data.corpus.past."
        )
    constant: Numbers = found[0].copy()
    return constant


def _check_known_ahead(
    rows: _Rows,
    part: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    values: Numbers,
    times: Times,
    columns: Columns,
) -> None:
    """Raise a DataError if a covariate that is known ahead of time has a missing value."""
    first = len(columns.targets) + len(columns.past)
    wrong = np.argwhere(np.isnan(values[:, first:]))
    if len(wrong):
        step, column = wrong[0]
        place = rows.place(int(part[max(0, np.searchsorted(places, step, side="right") - 1)]))
        raise DataError(
            f"{place}: {columns.future[column]} is missing at {rows.told(times[step])}{_of(rows, part)}, but "
            "data.corpus.future names it as known ahead of time. Fill it in, set data.corpus.gaps=last where "
            "whole steps are missing, or name it in data.corpus.past."
        )


def _of(rows: _Rows, part: npt.NDArray[np.int64]) -> str:
    name = rows.names[rows.codes[part[0]]]
    return f" in series {name!r}" if name else ""

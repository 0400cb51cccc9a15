"""What a corpus of time series is: evenly spaced numbers with names, and where each split ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.frequency import Frequency, Times, told
from rnnlab.errors import ConfigError, DataError, nearest

Size = float | int | str
"""How large a split is: a share of the steps below 1, so many steps, or the time at which it begins."""
GAPS = ("refuse", "mask", "last")
"""What to do about missing steps: refuse them, take them for missing values, or repeat the last ones."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a series' values are, in their order.

    Attributes:
        targets: what is to be forecast.
        past: covariates that are known up to now.
        future: covariates that are known ahead of time.
        static: one number for a whole series.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def moving(self) -> tuple[str, ...]:
        """Names of the columns of :attr:`Series.values`."""
        return (*self.targets, *self.past, *self.future)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the columns of a table become series.

    Args:
        time: the column of times.
        id: the column that tells series apart; None where a file holds one.
        time_format: how times are written, as ``strptime`` has it; None for ISO 8601 and whole numbers.
        frequency: how far apart steps are; None infers it.
        gaps: ``refuse``, ``mask`` (missing values) or ``last`` (the last values again).
    """

    time: str
    id: str | None = None
    time_format: str | None = None
    frequency: Frequency | None = None
    gaps: str = "refuse"

    def __post_init__(self) -> None:
        if self.gaps not in GAPS:
            raise ConfigError(f"data.corpus.gaps={self.gaps}. {nearest(self.gaps, GAPS)}")


@dataclass(frozen=True, slots=True)
class Series:
    """One series, without gaps in its times.

    Attributes:
        name: its id; empty where a corpus has a single one.
        times: ``(rows,)``.
        values: ``(rows, columns)`` in the order of :attr:`Columns.moving`, NaN where a value is missing.
        static: ``(static,)``.
        length: steps up to the last one with a target. Rows behind it say what is known ahead of time.
        in_utc: whether the times were written with offsets; they are those of UTC then.
    """

    name: str
    times: Times
    values: npt.NDArray[np.float64]
    static: npt.NDArray[np.float64]
    length: int
    in_utc: bool = False

    @property
    def called(self) -> str:
        """What it is called in a message."""
        return f"series {self.name!r}" if self.name else "the series"


class Borders(NamedTuple):
    """The steps at which the splits of a series end; each begins where the one before it ends.

    Attributes:
        train: where train ends.
        validation: where validation ends.
        test: where the test ends.
    """

    train: int
    validation: int
    test: int

    def of(self, split: str) -> tuple[int, int]:
        """Return where a split begins and ends.

        >>> Borders(60, 80, 100).of("validation")
        (60, 80)
        """
        begins = {"train": 0, "validation": self.train, "test": self.validation}
        return begins[split], int(getattr(self, split))


@runtime_checkable
class SeriesCorpus(Protocol):
    """Time series. Making one is cheap; the first look at its content reads or fetches it.

    Attributes:
        name: the name under which ``data=`` knows it.
        reading: how a table of further steps is read.
    """

    name: str
    reading: Reading

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that decides the series and their splits."""
        ...

    @property
    def columns(self) -> Columns:
        """What the values are."""
        ...

    @property
    def frequency(self) -> Frequency:
        """How far apart steps are."""
        ...

    @property
    def series(self) -> Sequence[Series]:
        """All series, always in the same order.

        Raises:
            DataError: if the corpus is missing, damaged or not what the configuration says.
        """
        ...

    def borders(self, series: Series) -> Borders:
        """Return where the splits of one of its series end.

        Raises:
            DataError: if the series is too short for them.
        """
        ...


def check_sizes(**sizes: Size) -> None:
    """Raise a ConfigError if one is no size of a split."""
    for name, size in sizes.items():
        is_number = isinstance(size, (int, float)) and not isinstance(size, bool)
        if is_number and (0 < float(size) < 1 or (float(size) >= 1 and float(size).is_integer())):
            continue
        try:
            assert isinstance(size, str)
            np.datetime64(size)
        except (ValueError, AssertionError):
            raise ConfigError(
                f"data.corpus.{name}={size}: expected a share of the steps such as 0.1, a number of steps "
                "such as 720, or the time at which the split begins such as 2017-07-01."
            ) from None


def borders_of(series: Series, validation: Size, test: Size, fold: int = 0) -> Borders:
    """Return where the splits of a series end: the test at its end, validation before it.

    Args:
        series: to split.
        validation: size of validation.
        test: size of the test.
        fold: moves all borders back by so many tests, for an evaluation whose origin rolls.

    Raises:
        ConfigError: if a fold is asked for where the test begins at a time.
        DataError: if a split would be empty.
    """
    if fold and isinstance(test, str):
        raise ConfigError(
            f"data.corpus.fold={fold} goes with a share or a number of steps in data.corpus.test."
        )
    begin = _beginning(series, test, series.length)
    back = fold * (series.length - begin)
    found = Borders(_beginning(series, validation, begin - back), begin - back, series.length - back)
    if not 0 < found.train < found.validation < found.test:
        raise DataError(
            f"{series.called} has {series.length:,} steps, {told(series.times[0])} to "
            f"{told(series.times[series.length - 1])}: too few for validation={validation}, test={test}"
            f"{f', fold={fold}' if fold else ''}. Set data.corpus.validation and data.corpus.test."
        )
    return found


def _beginning(series: Series, size: Size, end: int) -> int:
    """Return the step at which a split begins that ends before ``end``."""
    if not isinstance(size, str):
        return end - (round(size * series.length) if size < 1 else int(size))
    if series.times.dtype.kind != "M":
        raise ConfigError(f"a split begins at {size}, but the times of the series are whole numbers.")
    return int(np.searchsorted(series.times[:end], np.datetime64(size)))

"""Windows of many series by index arithmetic: one long table, and a number for each window.

A window is a look-back and the horizon after it. Its origin is the first step of its horizon::

    train         validation    test
    |-------------|-------------|-------------|
        look-back horizon
               ~~~~~=====                          a window of validation: its look-back overlaps the border,
                                                   its horizon does not
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.series import Borders, Series
from rnnlab.errors import ConfigError, DataError

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a split, numbered series after series; none of them is held in memory.

    Attributes:
        offsets: ``(series,)``, the row of the long table at which each series begins.
        first: ``(series,)``, the step that is the origin of each series' first window.
        counts: ``(series,)``, windows of each series.
        stride: steps from one origin to the next.
    """

    offsets: Rows
    first: Rows
    counts: Rows
    stride: int = 1

    def __len__(self) -> int:
        return int(self.counts.sum())

    def places(self, numbers: Rows) -> tuple[Rows, Rows]:
        """Return series and origin (a step of it) of windows.

        Args:
            numbers: ``(batch,)`` from 0.
        """
        ends = np.cumsum(self.counts)
        series = np.searchsorted(ends, numbers, side="right")
        within = numbers - (ends - self.counts)[series]
        return series, self.first[series] + within * self.stride

    def rows(self, series: Rows, origins: Rows, before: int, after: int) -> Rows:
        """Return the table's rows from ``before`` steps before each origin to ``after`` steps from it.

        Returns:
            ``(batch, before + after)``.
        """
        return (self.offsets[series] + origins)[:, None] + np.arange(-before, after)


def windows_of(
    series: Sequence[Series],
    borders: Sequence[Borders],
    split: str,
    look_back: int,
    horizon: int,
    stride: int = 1,
) -> Windows:
    """Return the windows of a split whose horizons lie within it, none left out at its end.

    Args:
        series: all of them, as they follow one another in the long table.
        borders: of each.
        split: ``train``, ``validation`` or ``test``.
        look_back: steps that are read.
        horizon: steps that are forecast.
        stride: steps from one origin to the next.

    Raises:
        ConfigError: if a number is below 1.
        DataError: naming the first series that has no window.
    """
    for key, value in (("look_back", look_back), ("horizon", horizon), ("stride", stride)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"data.{key}={value}: expected a whole number from 1.")
    first, counts = [], []
    for its, border in zip(series, borders, strict=True):
        begin, end = border.of(split)
        origin = max(begin, look_back)
        if end - horizon < origin:
            raise DataError(_too_short(its, border, split, look_back, horizon))
        first.append(origin)
        counts.append((end - horizon - origin) // stride + 1)
    return Windows(offsets_of(series), np.array(first), np.array(counts), stride)


def offsets_of(series: Sequence[Series]) -> Rows:
    """Return the row of the long table at which each series begins ``(series,)``."""
    ends = np.cumsum([len(its.times) for its in series], dtype=np.int64)
    return np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1]))


def carried_on(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return windows whose missing values are the last known before them, and which values were known.

    Where none is known before, it is 0: the mean of training. Nothing from behind the origin is looked at.

    Args:
        values: ``(batch, time, columns)``, NaN where a value is missing.
    """
    known = ~np.isnan(values)
    if known.all():
        return values, known
    steps = np.where(known, np.arange(values.shape[1])[:, None], 0)
    latest = np.maximum.accumulate(steps, axis=1)
    return np.nan_to_num(np.take_along_axis(values, latest, axis=1), nan=0.0), known


def _too_short(series: Series, border: Borders, split: str, look_back: int, horizon: int) -> str:
    begin, end = border.of(split)
    needed = f"a look-back of {look_back:,} and a horizon of {horizon:,} steps"
    if end - begin < horizon and split != "train":
        missing = f"its {split} split has {end - begin:,} steps, less than the horizon of {horizon:,}"
    elif split == "train":
        missing = f"its train split has {end:,} steps, too few for {needed}"
    else:
        missing = f"{begin:,} steps lie before the end of its {split} split's horizon, too few for {needed}"
    return (
        f"{series.called} ({series.length:,} steps): {missing}. Set data.look_back, data.horizon, or "
        "data.corpus.validation and data.corpus.test; or leave the series out."
    )

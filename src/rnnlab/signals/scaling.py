"""Scaling of series by statistics of their training splits alone: what comes later is not known yet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.errors import ConfigError, nearest

SCALINGS = ("standard", "mean", "none")
"""To mean 0 and deviation 1, to a mean size of 1 (zero stays zero), or not at all."""
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scaling:
    """``(value - location) / scale``, for each series and column.

    Attributes:
        location: ``(series, columns)``.
        scale: ``(series, columns)``, above 0; 1 where a column is constant.
        constant: ``(series, columns)``, whether a column is constant in training.
    """

    location: Numbers
    scale: Numbers
    constant: npt.NDArray[np.bool_]

    def scaled(self, values: Numbers, series: int) -> Numbers:
        """Return values ``(rows, columns)`` of a series on the scale of training."""
        found: Numbers = (values - self.location[series]) / self.scale[series]
        return found


def check_kind(kind: str) -> None:
    """Raise a ConfigError that names the nearest if there is no such scaling."""
    if kind not in SCALINGS:
        raise ConfigError(f"batches.scaling={kind}. {nearest(kind, SCALINGS)}")


def fitted(kind: str, training: Sequence[Numbers], shared: Sequence[bool]) -> Scaling:
    """Return the scaling that training values ask for; missing values are left out.

    The deviation is that of the values themselves (divided by their number, as the field's scaler has it).

    Args:
        kind: of :data:`SCALINGS`.
        training: each series' values ``(rows, columns)`` in training, NaN where one is missing.
        shared: for each column whether all series have the same scale, as it suits a flag or a price.

    Raises:
        ConfigError: if there is no such scaling.
    """
    check_kind(kind)
    own = np.stack([_statistics(values) for values in training], axis=1)  # (statistics, series, columns)
    alike = np.asarray(shared, dtype=bool)
    own[:, :, alike] = _pooled(own[:, :, alike])[:, None]
    count, total, squares, sizes, lowest, highest = own
    known = np.maximum(count, 1)
    mean = total / known
    deviation = np.sqrt(squares / known)
    is_constant = lowest >= highest
    if kind == "none":
        return Scaling(np.zeros_like(mean), np.ones_like(mean), is_constant)
    size = sizes / known if kind == "mean" else deviation
    location = np.zeros_like(mean) if kind == "mean" else mean
    useless = (size <= 0) | (is_constant & (kind == "standard"))
    return Scaling(location, np.where(useless, 1.0, size), is_constant)


def _statistics(values: Numbers) -> Numbers:
    """Return number, sum, squares about the mean, sum of sizes, least and most of each column."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    total = filled.sum(axis=0)
    from_mean = np.where(known, values - total / np.maximum(count, 1), 0.0)
    lowest, highest = (np.where(known, values, end) for end in (np.inf, -np.inf))
    squares, sizes = (from_mean**2).sum(axis=0), np.abs(filled).sum(axis=0)
    return np.stack((count, total, squares, sizes, lowest.min(axis=0), highest.max(axis=0)))


def _pooled(own: Numbers) -> Numbers:
    """Return the statistics ``(statistics, series, columns)`` of all series together."""
    count, total, squares, sizes, lowest, highest = own
    everything = count.sum(axis=0)
    mean, means = total.sum(axis=0) / np.maximum(everything, 1), total / np.maximum(count, 1)
    around = (squares + count * (means - mean) ** 2).sum(axis=0)
    ends = lowest.min(axis=0), highest.max(axis=0)
    return np.stack((everything, total.sum(axis=0), around, sizes.sum(axis=0), *ends))

"""Quantiles moved by how far they missed on validation, so that bands hold what they say.

Conformalized quantile regression (Romano, Patterson and Candes 2019), each level by itself as their section
on asymmetric bands has it, and for each step of the horizon and each target. Windows of a series overlap and
the future need not be like validation: the promise is one of experience, not of proof, and the table says
what came of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.tasks.forecasting.losses import MEDIAN

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Conformal:
    """What to add to each quantile.

    Attributes:
        levels: of the quantiles, ascending.
        shifts: ``(horizon, targets, levels)``; 0 for the median, which is the point forecast.
    """

    levels: tuple[float, ...]
    shifts: Floats

    def adjusted(self, quantiles: Floats) -> Floats:
        """Return adjusted quantiles ``(..., horizon, targets, levels)``, which do not cross."""
        moved = quantiles + self.shifts
        middle = self.levels.index(MEDIAN)
        above = np.maximum.accumulate(moved[..., middle:], axis=-1)
        below = np.minimum.accumulate(moved[..., middle::-1], axis=-1)[..., ::-1]
        return np.concatenate((below[..., :-1], above), axis=-1)


def fitted(
    quantiles: Floats, truth: Floats, known: npt.NDArray[np.bool_], levels: Sequence[float]
) -> Conformal:
    """Return the adjustment that validation asks for.

    Of ``n`` errors a level ``q`` takes the one of rank ``(n + 1) q``, rounded away from the median, so that a
    band holds at least what it says where windows are exchangeable. A step that was never known is left
    alone.

    Args:
        quantiles: ``(windows, horizon, targets, levels)``, or ``(..., 1)`` where a forecast says one number.
        truth: ``(windows, horizon, targets)``.
        known: bool of the same shape.
        levels: ascending, the median among them.
    """
    errors = np.where(known[..., None], truth[..., None] - quantiles, np.inf)
    errors.sort(axis=0)  # what is not known comes last
    count = known.sum(axis=0)  # (horizon, targets)
    shifts = np.zeros((*errors.shape[1:3], len(levels)), dtype=np.float64)
    for number, level in enumerate(levels):
        if level == MEDIAN:
            continue
        exact = np.round((count + 1) * level, 9)
        rank = np.ceil(exact) if level > MEDIAN else np.floor(exact)
        place = np.clip(rank, 1, np.maximum(count, 1)).astype(np.int64) - 1
        own = errors[..., number if errors.shape[-1] > 1 else 0]
        found = np.take_along_axis(own, place[None], axis=0)[0]
        shifts[..., number] = np.where(count > 0, found, 0.0)
    return Conformal(tuple(levels), shifts)


def spread_over(windows: int, most: int) -> npt.NDArray[np.int64]:
    """Return the numbers of at most ``most`` windows, evenly spread.

    >>> spread_over(5, 3).tolist(), spread_over(2, 3).tolist()
    ([0, 2, 4], [0, 1])
    """
    return np.unique(np.linspace(0, windows - 1, min(windows, most)).round().astype(np.int64))

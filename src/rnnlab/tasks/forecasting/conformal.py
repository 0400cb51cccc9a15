"""Quantiles moved by how far they missed on validation, so that bands hold what they say.

Conformalized quantile regression (Romano, Patterson and Candes 2019), each level by itself as their section
on asymmetric bands has it, and for each step of the horizon and each target. Windows of a series overlap and
the future need not be like validation: the promise is one of experience, not of proof, and the table says
what came of it. Where origins follow one another, what has become of earlier forecasts moves the quantiles
further, and then the promise holds in the long run whatever the series does.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.tasks.forecasting.losses import MEDIAN

Floats = npt.NDArray[np.floating]
RATE = 0.005
"""How far an error moves a quantile, in widths of the band. On the second half of ETTh1's validation split,
begun with the adjustment of the first, it gave the narrowest bands of 0.003 to 0.03."""


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


class Tracker:
    """Quantiles that follow the errors of earlier forecasts, of one series after another.

    Quantile tracking (Gibbs and Candes 2021; Angelopoulos, Candes and Tibshirani 2023): once it is known
    whether what happened lay above a quantile of level ``q``, that quantile rises by a share ``q`` of a small
    step, or falls by ``1 - q`` of it. What a forecast moves by is known before its origin: the error of its
    step ``h`` from origin ``o`` not earlier than for the origin ``o + h + 1``. Each step of the horizon,
    target and level moves by itself; the median, which is the point forecast, stays.

    Args:
        start: the adjustment with which each series begins.
        rate: size of the step, in widths of the outermost band as ``start`` has it.
    """

    def __init__(self, start: Conformal, rate: float = RATE) -> None:
        self.start, self.rate = start, rate
        self.levels = np.array(start.levels)
        self.steps = np.arange(len(start.shifts))
        self.series: int | None = None

    def follow(
        self, series: int, origin: int, quantiles: Floats, truth: Floats, known: npt.NDArray[np.bool_]
    ) -> Floats:
        """Return the quantiles ``(horizon, targets, levels)`` of one window, moved by what is known before.

        Args:
            series: which one; another than last time begins anew.
            origin: the window's, later than that of the series' window before.
            quantiles: as the network says them ``(horizon, targets, levels)``, or ``(..., 1)``.
            truth: ``(horizon, targets)``, looked at only when it has become known to a later window.
            known: bool of the same shape.
        """
        if series != self.series:
            self.series, self.shifts = series, self.start.shifts.copy()
            self.windows, self.origins = 0, deque[int](maxlen=len(self.steps))
            self.learnt = np.zeros(len(self.steps), dtype=np.int64)  # windows of which a step's error is
            self.below = np.zeros((len(self.steps), *self.shifts.shape), dtype=np.int8)
        outer = self.start.adjusted(quantiles)
        self.learn(origin, outer[..., -1:] - outer[..., :1])
        found = Conformal(self.start.levels, self.shifts).adjusted(quantiles)
        happened = np.where(known[..., None], truth[..., None] <= found, -1)
        self.below[self.windows % len(self.steps)] = happened
        self.origins.append(origin)
        self.windows += 1
        return found

    def learn(self, origin: int, width: Floats) -> None:
        """Move by all errors that have become known before ``origin``, those of earlier windows first."""
        # Of windows before those in `origins`, as many as the horizon has steps, all has happened.
        ready = np.searchsorted(self.origins, origin - self.steps) + self.windows - len(self.origins)
        while (fresh := self.learnt < ready).any():
            at = self.steps[fresh]
            below = self.below[self.learnt[at] % len(self.steps), at]
            moves = np.where(below < 0, 0.0, self.levels - below) * (self.levels != MEDIAN)
            self.shifts[at] += self.rate * width[at] * moves
            self.learnt[at] += 1

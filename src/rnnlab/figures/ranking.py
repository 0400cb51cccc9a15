"""How well scores put one class before the others: the points of ROC and precision-recall curves."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

MOST_POINTS = 400
"""Of a curve that is drawn; more can't be told apart."""


class Curve(NamedTuple):
    """A curve and its summary.

    Attributes:
        across: ``(points,)``.
        up: ``(points,)``.
        area: under it; NaN where one of the two classes has no document.
    """

    across: Numbers
    up: Numbers
    area: float


def hits_by_threshold(
    scores: npt.ArrayLike, positive: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for each distinct score, highest first, how many positives and negatives score as much or more.

    Args:
        scores: ``(documents,)``.
        positive: ``(documents,)`` whether each is of the class.
    """
    values, is_positive = np.asarray(scores), np.asarray(positive, dtype=bool)
    order = np.argsort(-values, kind="stable")
    last_of_equals = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))[: len(values)]
    positives = np.cumsum(is_positive[order], dtype=np.int64)[last_of_equals]
    return positives, last_of_equals + 1 - positives


def roc(scores: npt.ArrayLike, positive: npt.ArrayLike) -> Curve:
    """Return false against true positive rate; documents of equal score come together."""
    true, false = hits_by_threshold(scores, positive)
    if not len(true) or not true[-1] or not false[-1]:
        return Curve(np.zeros(0), np.zeros(0), float("nan"))
    up = np.concatenate(([0.0], true / true[-1]))
    across = np.concatenate(([0.0], false / false[-1]))
    return Curve(across, up, float((np.diff(across) * (up[1:] + up[:-1]) / 2).sum()))


def precision_recall(scores: npt.ArrayLike, positive: npt.ArrayLike) -> Curve:
    """Return recall against precision; the area is the average precision, without interpolation."""
    true, false = hits_by_threshold(scores, positive)
    if not len(true) or not true[-1]:
        return Curve(np.zeros(0), np.zeros(0), float("nan"))
    recall, precision = true / true[-1], true / (true + false)
    area = float((np.diff(np.concatenate(([0.0], recall))) * precision).sum())
    return Curve(np.concatenate(([0.0], recall)), np.concatenate((precision[:1], precision)), area)


def thinned(curve: Curve) -> Curve:
    """Return the curve with as many points as can be told apart, evenly along its length."""
    if len(curve.across) <= MOST_POINTS:
        return curve
    walked = np.cumsum(np.abs(np.diff(curve.across, prepend=0)) + np.abs(np.diff(curve.up, prepend=0)))
    kept = np.unique(np.searchsorted(walked, np.linspace(walked[0], walked[-1], MOST_POINTS)))
    kept = np.union1d(kept, [0, len(walked) - 1])
    return Curve(curve.across[kept], curve.up[kept], curve.area)


def averaged(curves: list[Curve], *, rising: bool) -> Curve:
    """Return the mean of several classes' curves at each place, and of their areas (macro average).

    Args:
        curves: those without points are left out.
        rising: whether the curves rise, as ROC curves do; else what is kept of equal places is the highest.
    """
    found = [curve for curve in curves if len(curve.across)]
    if not found:
        return Curve(np.zeros(0), np.zeros(0), float("nan"))
    places = np.linspace(0, 1, MOST_POINTS)
    heights = [height_at(places, curve, rising) for curve in found]
    return Curve(places, np.mean(heights, axis=0), float(np.mean([curve.area for curve in found])))


def height_at(places: Numbers, curve: Curve, rising: bool) -> Numbers:
    """Return how high a curve is at ``places``."""
    if rising:
        return np.interp(places, curve.across, curve.up)
    # The precision at a recall is the best among the thresholds that reach it.
    best = np.maximum.accumulate(curve.up[::-1])[::-1]
    return best[np.minimum(np.searchsorted(curve.across, places), len(best) - 1)]

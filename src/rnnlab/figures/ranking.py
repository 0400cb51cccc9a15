"""How well scores rank and how far they can be believed: ROC, precision and recall, reliability."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.figures.documents import ScoredDocuments, told_unknown
from rnnlab.figures.drawing import (
    FAINT,
    colour,
    colours_of,
    house_style,
    name_lines,
    new_figure,
    new_panel,
    note,
    shortened,
)

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


MOST_CLASSES = 6
"""So many classes have a line each; of more only their mean is drawn."""


@house_style()
def roc_figure(scored: Mapping[str, ScoredDocuments]) -> Figure:
    """Draw a ROC curve for each name; of more than two classes their mean, one against the rest.

    Args:
        scored: what each line shows, such as ``{"validation": ..., "test": ...}``; all of the same classes.
    """
    figure, panel = new_panel("ROC", "false positive rate", "true positive rate")
    panel.plot([0, 1], [0, 1], color=FAINT, linestyle=":", linewidth=1, label="chance: area 0.5")
    draw_lines(panel, scored, roc, rising=True)
    finish(figure, panel, scored)
    name_lines(panel, "lower right")
    return figure


@house_style()
def precision_recall_figure(scored: Mapping[str, ScoredDocuments]) -> Figure:
    """Draw precision against recall for each name; of more than two classes their mean.

    Args:
        scored: what each line shows; all of the same classes.
    """
    figure, panel = new_panel("Precision and recall", "recall", "precision")
    one = next(iter(scored.values())).known
    if len(one.classes) == 2 and len(one.labels):
        share = float(np.mean(one.labels == 1))
        panel.axhline(share, color=FAINT, linestyle=":", linewidth=1, label=f"chance: {share:.2f}")
    draw_lines(panel, scored, precision_recall, rising=False)
    finish(figure, panel, scored)
    name_lines(panel, "lower left")
    return figure


def draw_lines(
    panel: Axes,
    scored: Mapping[str, ScoredDocuments],
    curve_of: Callable[[Any, Any], Curve],
    *,
    rising: bool,
) -> None:
    """Draw a line for each name and, of three to six classes, a thin one for each class of the last name."""
    colours = colours_of(scored)
    *_, last = scored
    for name, found in scored.items():
        curves = class_curves(found.known, curve_of)
        mean = curves[0] if len(curves) == 1 else averaged(curves, rising=rising)
        if len(curves) > 1 and name == last and len(curves) <= MOST_CLASSES:
            for number, (label, curve) in enumerate(zip(found.classes, curves, strict=True)):
                told = f"{name}, {shortened(label)}: {area(curve)}"
                line(panel, curve, rising, label=told, linewidth=1.0, color=colour(number + 3))
        line(panel, mean, rising, label=f"{name}: {area(mean)}", color=colours[name])


def line(panel: Axes, curve: Curve, rising: bool, **style: Any) -> None:
    """Draw one curve."""
    points = thinned(curve)
    panel.plot(points.across, points.up, drawstyle="default" if rising else "steps-pre", **style)


def class_curves(found: ScoredDocuments, curve_of: Callable[[Any, Any], Curve]) -> list[Curve]:
    """Return the curve of the second class of two, or of each of more against the rest."""
    count = len(found.classes)
    wanted = [1] if count == 2 else range(count)
    return [curve_of(found.probabilities[:, number], found.labels == number) for number in wanted]


def area(curve: Curve) -> str:
    """Return the area under a curve in words."""
    return "only one class occurs" if np.isnan(curve.area) else f"area {curve.area:.3f}"


def finish(figure: Figure, panel: Axes, scored: Mapping[str, ScoredDocuments]) -> None:
    """Add what both kinds of curve have."""
    classes = next(iter(scored.values())).classes
    meant = (
        f"of the answer {classes[1]}" if len(classes) == 2 else "mean over the classes, one against the rest"
    )
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    panel.grid(True)
    note(figure, meant, told_unknown(scored))


BINS = 15
"""As many as Guo et al. 2017 take."""


class Calibration(NamedTuple):
    """Confidence beside accuracy, in bins of equal width that hold any document.

    Attributes:
        middles: of each bin ``(bins,)``.
        confidences: mean confidence of each bin ``(bins,)``.
        accuracies: share of right answers of each bin ``(bins,)``.
        shares: share of all documents in each bin ``(bins,)``.
        error: the expected calibration error.
    """

    middles: Numbers
    confidences: Numbers
    accuracies: Numbers
    shares: Numbers
    error: float


def calibration(confidences: npt.ArrayLike, right: npt.ArrayLike) -> Calibration:
    """Return the calibration and its expected error.

    Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks", equations 2 and 3: the
    mean of ``|accuracy - confidence|`` over the bins, weighted by their documents. A bin holds its upper
    border.

    Args:
        confidences: the probability of each answer that was given ``(documents,)``.
        right: whether it was right ``(documents,)``.
    """
    given, was_right = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    numbers = np.clip(np.ceil(given * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(numbers, minlength=BINS)
    held = counts > 0
    means, accuracies = (
        np.bincount(numbers, weights=values, minlength=BINS)[held] / counts[held]
        for values in (given, was_right)
    )
    shares = counts[held] / max(len(given), 1)
    error = float((shares * np.abs(accuracies - means)).sum()) if len(given) else float("nan")
    return Calibration((np.flatnonzero(held) + 0.5) / BINS, means, accuracies, shares, error)


@house_style()
def reliability_figure(scored: Mapping[str, ScoredDocuments]) -> Figure:
    """Draw accuracy against confidence for each name, and below it how many answers had which confidence.

    Args:
        scored: what each line shows, such as ``{"validation": ..., "test": ...}``.
    """
    figure = new_figure(height=4.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=FAINT, linestyle=":", linewidth=1)
    colours = colours_of(scored)
    lowest = 1.0
    for number, (name, found) in enumerate(scored.items()):
        known = found.known
        measured = calibration(known.confidences, known.right)
        label = f"{name}: calibration error {measured.error:.3f}"
        line = {"marker": "o", "markersize": 4, "color": colours[name], "label": label}
        above.plot(measured.confidences, measured.accuracies, **line)
        width = 0.9 / BINS / len(scored)
        shift = (number - (len(scored) - 1) / 2) * width
        below.bar(measured.middles + shift, measured.shares, width, color=colours[name])
        lowest = min(lowest, 1 / len(found.classes))
    above.set(title="Reliability", ylabel="accuracy", xlim=(lowest - 0.03, 1.02), ylim=(lowest - 0.1, 1.05))
    below.set(xlabel="confidence in the answer", ylabel="share of answers")
    above.grid(True)
    name_lines(above, "lower right")
    note(figure, "dotted: right as often as it is sure", told_unknown(scored))
    return figure

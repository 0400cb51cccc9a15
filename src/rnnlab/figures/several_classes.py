"""How well a classifier that tells any number of classes does, by class and by threshold."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.figures.drawing import (
    FAINT,
    INK,
    colour,
    colours_of,
    house_style,
    name_lines,
    new_panel,
    note,
    shortened,
)
from rnnlab.figures.ranking import area, line, precision_recall

Numbers = npt.NDArray[np.float64]

MOST_CLASSES = 7
"""So many classes have a line each: the least well told ones, as those are what there is to mend."""
THRESHOLDS = np.linspace(0.0, 1.0, 201)


class Decided(NamedTuple):
    """What is said of documents, and what they are of.

    Attributes:
        shares: probabilities ``(documents, classes)``.
        truth: which classes each document is of ``(documents, classes)``.
    """

    shares: Numbers
    truth: npt.NDArray[np.bool_]


def at_threshold(shares: Numbers, truth: npt.NDArray[np.bool_], threshold: float) -> tuple[float, float]:
    """Return recall and precision of what is above a threshold; NaN where nothing is of it, or told.

    >>> at_threshold(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]), 0.5)
    (0.5, 0.5)
    """
    told = shares > threshold
    hits, claims, there = int((told & truth).sum()), int(told.sum()), int(truth.sum())
    return hits / there if there else float("nan"), hits / claims if claims else float("nan")


@house_style()
def precision_recall_by_class_figure(
    decided: Decided, labels: Sequence[str], threshold: float, name: str
) -> Figure:
    """Draw precision against recall of all decisions and of each class, a dot where the threshold lies.

    Args:
        decided: the answers.
        labels: names of the classes.
        threshold: above which a class is told.
        name: of the split, for the title.
    """
    figure, panel = new_panel(f"Precision and recall, {name}", "recall", "precision")
    draw(panel, decided.shares.ravel(), decided.truth.ravel(), threshold, "all decisions", INK, 2.0)
    curves = [precision_recall(*column) for column in zip(decided.shares.T, decided.truth.T, strict=True)]
    occurring = [number for number, curve in enumerate(curves) if len(curve.across)]
    worst = sorted(sorted(occurring, key=lambda number: curves[number].area)[:MOST_CLASSES])
    for place, number in enumerate(worst):
        column = decided.shares[:, number], decided.truth[:, number]
        draw(panel, *column, threshold, shortened(labels[number]), colour(place), 1.2)
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    panel.grid(True)
    name_lines(panel, "lower left")
    left_out = len(labels) - len(worst)
    note(
        figure,
        f"dots: told above {threshold:.3f}",
        f"not drawn: {left_out} classes that are told better, or do not occur" if left_out else "",
    )
    return figure


def draw(
    panel: Axes,
    shares: Numbers,
    truth: npt.NDArray[np.bool_],
    threshold: float,
    name: str,
    of_colour: str,
    width: float,
) -> None:
    """Draw one curve, and the dot."""
    curve = precision_recall(shares, truth)
    line(panel, curve, False, label=f"{name}: {area(curve)}", color=of_colour, linewidth=width)
    panel.plot(*at_threshold(shares, truth, threshold), "o", color=of_colour, markersize=6, zorder=3)


def f1_by_threshold(decided: Decided) -> Numbers:
    """Return F1 over all decisions at each of ``THRESHOLDS`` ``(thresholds,)``; NaN where none is right."""
    values, right = decided.shares.ravel(), decided.truth.ravel()
    claims, hits = (
        len(part) - np.searchsorted(np.sort(part), THRESHOLDS, side="right")
        for part in (values, values[right])
    )
    both = claims + int(right.sum())
    return 2 * hits / np.where(both > 0, both, np.nan)


@house_style()
def f1_by_threshold_figure(decided: Mapping[str, Decided], threshold: float) -> Figure:
    """Draw F1 over all decisions against the threshold, a line for each split.

    Args:
        decided: the answers of each split.
        threshold: that was chosen.
    """
    figure, panel = new_panel("F1 by threshold", "told above this probability", "F1 over all decisions")
    colours = colours_of(decided)
    for split, found in decided.items():
        panel.plot(THRESHOLDS, f1_by_threshold(found), color=colours[split], label=split)
    panel.axvline(threshold, color=FAINT, linestyle=":", linewidth=1, label=f"chosen: {threshold:.3f}")
    panel.set(xlim=(0, 1), ylim=(-0.02, 1.05))
    panel.grid(True)
    name_lines(panel, "lower left")
    note(figure, "chosen for the highest F1 on validation")
    return figure

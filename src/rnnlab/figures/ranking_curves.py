"""ROC and precision-recall curves: how well the probabilities put a class before the others."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.figures.ranking import Curve, averaged, precision_recall, roc, thinned
from rnnlab.figures.scored_documents import ScoredDocuments, told_unknown
from rnnlab.figures.style import (
    FAINT,
    colour,
    colours_of,
    house_style,
    name_lines,
    new_panel,
    note,
    shortened,
)

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

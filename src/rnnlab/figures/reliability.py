"""The reliability diagram: whether answers given with confidence c are right in a share c of all cases."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.figures.scored_documents import ScoredDocuments, told_unknown
from rnnlab.figures.style import FAINT, colours_of, house_style, name_lines, new_figure, note

BINS = 15
"""As many as Guo et al. 2017 take."""

Numbers = npt.NDArray[np.float64]


class Calibration(NamedTuple):
    """Confidence beside accuracy, in bins of equal width that hold any document.

    Attributes:
        confidences: mean confidence of each bin ``(bins,)``.
        accuracies: share of right answers of each bin ``(bins,)``.
        shares: share of all documents in each bin ``(bins,)``.
        error: the expected calibration error.
    """

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
    return Calibration(means, accuracies, shares, error)


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
        below.bar(measured.confidences + shift, measured.shares, width, color=colours[name])
        lowest = min(lowest, 1 / len(found.classes))
    above.set(
        title="Reliability", ylabel="share right", xlim=(lowest - 0.03, 1.02), ylim=(lowest - 0.1, 1.05)
    )
    below.set(xlabel="confidence in the answer", ylabel="share")
    above.grid(True)
    name_lines(above, "lower right")
    note(figure, told_unknown(scored))
    return figure

"""The confusion matrix: which class was taken for which."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.figures.scored_documents import ScoredDocuments, told_unknown
from rnnlab.figures.style import INTENSITY, house_style, new_panel, note, shortened

MOST_WRITTEN = 12
"""Classes up to which the counts are written into the squares."""


def counts_of(scored: ScoredDocuments) -> npt.NDArray[np.int64]:
    """Return how many documents of each class were taken for which, ``(classes, classes)``."""
    known, size = scored.known, len(scored.classes)
    return np.bincount(known.labels * size + known.predicted, minlength=size * size).reshape(size, size)


@house_style()
def confusion_figure(scored: ScoredDocuments, name: str) -> Figure:
    """Draw the matrix: a row for each right class, coloured by shares of the row.

    Args:
        scored: the answers.
        name: of the split or the run, for the title.
    """
    counts = counts_of(scored)
    size = len(counts)
    side = max(4.0, 0.45 * size + 1.5)
    figure, panel = new_panel(
        f"Confusion, {name}", "answer", "right class", width=max(5.0, side + 0.8), height=side
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap=INTENSITY, vmin=0, vmax=1)
    ticks = [shortened(label) for label in scored.classes]
    fits = sum(map(len, ticks)) <= 24
    panel.set_xticks(range(size), ticks, rotation=0 if fits else 60, ha="center" if fits else "right")
    panel.set_yticks(range(size), ticks)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    if size <= MOST_WRITTEN:
        write_counts(panel, counts, shares)
    right, total = int(np.trace(counts)), int(counts.sum())
    told = f"{right:,} of {total:,} right ({right / max(total, 1):.1%})"
    note(figure, told, told_unknown({name: scored}))
    return figure


def write_counts(panel: Axes, counts: npt.NDArray[np.int64], shares: npt.NDArray[np.float64]) -> None:
    """Write each count, with its share of the row where there is room, in a colour that shows."""
    roomy = len(counts) <= 6
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        panel.text(
            column,
            row,
            f"{count:,}\n{share:.1%}" if roomy else f"{count:,}",
            ha="center",
            va="center",
            color="white" if share > 0.55 else "black",
            fontsize=12 if roomy else 8,
        )

"""Accuracy by length: whether long documents are harder than short ones."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.figures.scored_documents import ScoredDocuments, told_unknown
from rnnlab.figures.style import colours_of, house_style, logarithmic, name_lines, new_panel, note

GROUPS = 8
"""Groups of documents of similar length, as equal in number as equal lengths allow."""

Z = 1.96  # of 95 % of a normal distribution

Numbers = npt.NDArray[np.float64]


class Accuracies(NamedTuple):
    """Accuracy of each group of lengths, with its uncertainty.

    Attributes:
        lengths: median tokens of each group that holds any document ``(groups,)``.
        accuracies: ``(groups,)``.
        lowest: lower end of the 95 % interval ``(groups,)``.
        highest: upper end ``(groups,)``.
    """

    lengths: Numbers
    accuracies: Numbers
    lowest: Numbers
    highest: Numbers


def edges_of(lengths: npt.ArrayLike) -> Numbers:
    """Return the borders between groups of as many documents each, rising, ``(groups - 1,)`` at most."""
    return np.unique(np.quantile(np.asarray(lengths), np.linspace(0, 1, GROUPS + 1)[1:-1]))


def accuracies_by_length(scored: ScoredDocuments, edges: npt.ArrayLike) -> Accuracies:
    """Return the accuracy between each two ``edges``, with Wilson's interval (1927)."""
    groups = np.searchsorted(np.asarray(edges), scored.lengths, side="left")
    present = np.unique(groups)
    counts = np.array([np.sum(groups == group) for group in present])
    shares = np.array([scored.right[groups == group].mean() for group in present])
    middles = np.array([np.median(scored.lengths[groups == group]) for group in present])
    centre = (shares + Z**2 / (2 * counts)) / (1 + Z**2 / counts)
    half = Z * np.sqrt(shares * (1 - shares) / counts + Z**2 / (4 * counts**2)) / (1 + Z**2 / counts)
    return Accuracies(middles, shares, centre - half, centre + half)


@house_style()
def accuracy_by_length_figure(scored: Mapping[str, ScoredDocuments]) -> Figure:
    """Draw accuracy against length for each name, with 95 % intervals.

    Args:
        scored: what each line shows, such as ``{"validation": ..., "test": ...}``.
    """
    figure, panel = new_panel("Accuracy by length", "tokens of the document", "accuracy")
    known = {name: found.known for name, found in scored.items() if len(found.known.labels)}
    colours = colours_of(scored)
    if known:
        lengths = np.concatenate([found.lengths for found in known.values()])
        edges = edges_of(lengths)
        for name, found in known.items():
            measured = accuracies_by_length(found, edges)
            panel.plot(
                measured.lengths,
                measured.accuracies,
                marker="o",
                markersize=4,
                color=colours[name],
                label=name,
            )
            panel.fill_between(
                measured.lengths,
                measured.lowest,
                measured.highest,
                color=colours[name],
                alpha=0.15,
                linewidth=0,
            )
        if lengths.max() > 20 * max(1, lengths.min()):
            logarithmic(panel.xaxis)
        name_lines(panel, "best")
    panel.grid(True)
    note(figure, "bands: 95 % intervals", told_unknown(scored))
    return figure

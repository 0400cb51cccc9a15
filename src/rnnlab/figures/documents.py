"""What a classifier says of a split's documents, drawn: right and wrong by class and by length."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.atomic import written_beside
from rnnlab.figures.drawing import (
    INTENSITY,
    colours_of,
    house_style,
    logarithmic,
    name_lines,
    new_panel,
    note,
    shortened,
    write,
)
from rnnlab.files.array_file import Kind, read_packed
from rnnlab.files.bounded import damaged

_KINDS = {
    **{"documents": Kind("i", 1), "probabilities": Kind("f", 2), "labels": Kind("i", 1)},
    **{"lengths": Kind("i", 1), "classes": Kind("U", 1)},
}


@dataclass(frozen=True)
class ScoredDocuments:
    """Answers, in the order of the documents' numbers.

    Attributes:
        documents: the documents' numbers in their split ``(documents,)``.
        probabilities: of each class ``(documents, classes)``; NaN where the network's numbers overflowed.
        labels: the right class ``(documents,)``.
        lengths: tokens of each whole document ``(documents,)``.
        classes: their names in id order.
    """

    documents: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    @cached_property
    def known(self) -> "ScoredDocuments":
        """Only those whose probabilities are numbers."""
        kept = np.isfinite(self.probabilities).all(axis=1)
        columns = ("documents", "probabilities", "labels", "lengths")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns})

    @property
    def unknown(self) -> int:
        """How many have probabilities that are no numbers."""
        return len(self.labels) - len(self.known.labels)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class ``(documents,)``."""
        found: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return found

    @property
    def confidences(self) -> npt.NDArray[np.float32]:
        """The probability of the most probable class ``(documents,)``."""
        found: npt.NDArray[np.float32] = self.probabilities.max(axis=1)
        return found

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is the right one ``(documents,)``."""
        found: npt.NDArray[np.bool_] = self.predicted == self.labels
        return found

    def save(self, path: Path) -> None:
        """Write them as ``.npz``, plain arrays, whole or not at all.

        Raises:
            RnnlabError: if the disk is full or the folder can't be written.
        """
        with written_beside(path) as unfinished:
            np.savez_compressed(
                unfinished,
                documents=self.documents,
                probabilities=self.probabilities,
                labels=self.labels,
                lengths=self.lengths,
                classes=np.array(self.classes),
            )

    @classmethod
    def load(cls, path: Path) -> "ScoredDocuments":
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: if there is none.
            DamagedFileError: if it is damaged.
        """
        found = read_packed(path, _KINDS)
        classes = tuple(map(str, found.pop("classes")))
        count = len(found["labels"])
        sizes = {len(found[name]) for name in ("documents", "lengths", "probabilities")}
        if sizes != {count} or found["probabilities"].shape[1] != len(classes) or not classes:
            raise damaged(path, "its arrays do not fit one another")
        if count and not 0 <= found["labels"].min() <= found["labels"].max() < len(classes):
            raise damaged(path, "it has labels of classes that it does not name")
        if count and found["lengths"].min() < 0:
            raise damaged(path, "it has documents that are shorter than nothing")
        return cls(**found, classes=classes)


def told_unknown(scored: Mapping[str, ScoredDocuments]) -> str:
    """Return a line on documents that a figure leaves out, empty where there are none."""
    lost = sum(one.unknown for one in scored.values())
    return f"left out, their probability is not a number: {lost:,}" if lost else ""


MOST_WRITTEN = 12
"""Classes up to which the counts are written into the squares."""


def counts_of(scored: ScoredDocuments) -> npt.NDArray[np.int64]:
    """Return how many documents of each class were taken for which, ``(classes, classes)``."""
    known, size = scored.known, len(scored.classes)
    return np.bincount(known.labels * size + known.predicted, minlength=size * size).reshape(size, size)


@house_style()
def confusion_figure(scored: ScoredDocuments, name: str) -> Figure:
    """Draw the matrix: a row for each true class, coloured by shares of the row.

    Args:
        scored: the answers.
        name: of the split or the run, for the title.
    """
    counts = counts_of(scored)
    size = len(counts)
    side = max(4.0, 0.45 * size + 1.5)
    figure, panel = new_panel(
        f"Confusion, {name}", "predicted class", "true class", width=max(5.0, side + 0.8), height=side
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
        told = f"{count:,}\n{share:.1%}" if roomy else f"{count:,}"
        write(panel, column, row, told, 12 if roomy else 8, "white" if share > 0.55 else "black")


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
            places, ink = measured.lengths, colours[name]
            panel.plot(places, measured.accuracies, marker="o", markersize=4, color=ink, label=name)
            panel.fill_between(places, measured.lowest, measured.highest, color=ink, alpha=0.15, linewidth=0)
        if lengths.max() > 20 * max(1, lengths.min()):
            logarithmic(panel.xaxis)
        name_lines(panel, "best")
    panel.grid(True)
    note(figure, "bands: 95 % intervals", told_unknown(scored))
    return figure

"""What a language model says of each token: the most probable next ones, perplexity by frequency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.atomic import written_beside
from rnnlab.figures.drawing import (
    COLOURS,
    FAINT,
    colours_of,
    house_style,
    logarithmic,
    name_lines,
    new_figure,
    new_panel,
    note,
    shortened,
)
from rnnlab.files.array_file import Kind, read_packed
from rnnlab.files.bounded import damaged

_KINDS = {"frequencies": Kind("i", 1), "counts": Kind("i", 1), "nats": Kind("f", 1)}


@dataclass(frozen=True)
class ScoredTokens:
    """Sums over a split's tokens, a row for each id of the vocabulary.

    Attributes:
        frequencies: how often the word occurs in the training text ``(vocabulary,)``.
        counts: how often it was to be predicted ``(vocabulary,)``.
        nats: the sum of its negative log-probabilities ``(vocabulary,)``; NaN where one was not a number.
    """

    frequencies: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    nats: npt.NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write them as ``.npz``, plain arrays, whole or not at all.

        Raises:
            RnnlabError: if the disk is full or the folder can't be written.
        """
        with written_beside(path) as unfinished:
            np.savez_compressed(unfinished, frequencies=self.frequencies, counts=self.counts, nats=self.nats)

    @classmethod
    def load(cls, path: Path) -> "ScoredTokens":
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: if there is none.
            DamagedFileError: if it is damaged.
        """
        found = read_packed(path, _KINDS)
        if len({len(array) for array in found.values()}) != 1:
            raise damaged(path, "its arrays do not fit one another")
        if min(found["counts"].min(initial=0), found["frequencies"].min(initial=0)) < 0:
            raise damaged(path, "it has words that occur less than never")
        return cls(**found)


BAR = 0.24  # inches


@house_style()
def next_token_figure(title: str, words: Sequence[str], probabilities: Mapping[str, npt.ArrayLike]) -> Figure:
    """Draw the probabilities of some words, a panel for each distribution, and what is left for all others.

    Args:
        title: such as the text so far.
        words: those that are shown, the first on top.
        probabilities: of these words ``(words,)``, by the name of the distribution, such as
            ``temperature 0.5``.
    """
    figure = new_figure(2.6 * len(probabilities) + 1.2, BAR * (len(words) + 1) + 1.3)
    panels = np.atleast_1d(figure.subplots(1, len(probabilities), sharey=True, sharex=True))
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    rows = np.arange(len(words) + 1)
    for panel, (name, shares) in zip(panels, probabilities.items(), strict=True):
        of_words = np.asarray(shares, dtype=np.float64)
        bars = np.append(of_words, max(0.0, 1 - of_words.sum()))
        panel.barh(rows, bars, color=[*[COLOURS[0]] * len(words), FAINT], height=0.7)
        for row, share in zip(rows, bars, strict=True):
            panel.text(share + 0.015, row, f"{share:.1%}", va="center", fontsize=8, color=FAINT)
        panel.set_title(name, fontsize=10)
        panel.set_xlim(0, 1.18)
        panel.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        panel.set_xlabel("probability")
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(rows, [*(shortened(word) for word in words), "all others"])
    panels[0].invert_yaxis()
    return figure


Numbers = npt.NDArray[np.float64]


class Perplexities(NamedTuple):
    """Perplexity of the words of like frequency.

    Attributes:
        decades: 0 for words that the training text lacks, d for ``10^(d - 1)`` to below ``10^d`` occurrences
            ``(groups,)``; only those that occur.
        perplexities: ``(groups,)``; NaN where the model's numbers overflowed.
        shares: of all predicted tokens ``(groups,)``.
    """

    decades: npt.NDArray[np.int64]
    perplexities: Numbers
    shares: Numbers


def perplexities_by_frequency(scored: ScoredTokens) -> Perplexities:
    """Return the perplexity of each decade of frequencies, every token weighing the same."""
    powers = 10 ** np.arange(19, dtype=np.int64)
    decades = np.searchsorted(powers, scored.frequencies, side="right")
    counts = np.bincount(decades, weights=scored.counts)
    nats = np.bincount(decades, weights=scored.nats)
    present = np.flatnonzero(counts)
    with np.errstate(over="ignore"):
        found = np.exp(nats[present] / counts[present])
    return Perplexities(present, found, counts[present] / counts.sum())


@house_style()
def perplexity_by_frequency_figure(scored: Mapping[str, ScoredTokens]) -> Figure:
    """Draw perplexity against the words' frequency in the training text for each name.

    Args:
        scored: what each line shows, such as ``{"validation": ..., "test": ...}``.
    """
    across = "occurrences in the training text, from"
    figure, panel = new_panel("Perplexity by word frequency", across, "perplexity")
    colours, shown, lost = colours_of(scored), dict[int, float](), 0
    for name, found in scored.items():
        measured = perplexities_by_frequency(found)
        lost += int(np.sum(~np.isfinite(measured.perplexities)))
        panel.plot(measured.decades, measured.perplexities, marker="o", color=colours[name], label=name)
        shown.update(zip(measured.decades.tolist(), measured.shares.tolist(), strict=True))
    decades = sorted(shown)
    logarithmic(panel.yaxis)
    panel.set_xticks(decades, [f"{occurrences(decade)}\n{shown[decade]:.1%}" for decade in decades])
    panel.grid(True, axis="y")
    name_lines(panel, "upper right")
    *_, last = scored
    missing = f"left out, their perplexity is not a number: {lost}" if lost else ""
    note(figure, f"under each group: its share of the tokens ({last})", missing)
    return figure


def occurrences(decade: int) -> str:
    """Return the frequencies of a decade in words.

    >>> [occurrences(decade) for decade in (0, 1, 2, 5)]
    ['never', '1', '10', '10k']
    """
    return short(10 ** (decade - 1)) if decade else "never"


def short(count: int) -> str:
    """Return a count in few letters.

    >>> short(100), short(1000), short(2_000_000)
    ('100', '1k', '2M')
    """
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count // size}{letter}"
    return str(count)

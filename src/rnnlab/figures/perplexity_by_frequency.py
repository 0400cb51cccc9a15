"""Perplexity by word frequency: how much of it is owed to rare words."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.figures.scored_tokens import ScoredTokens
from rnnlab.figures.style import colours_of, house_style, logarithmic, name_lines, new_panel, note

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

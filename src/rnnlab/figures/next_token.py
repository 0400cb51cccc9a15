"""What a language model expects next, under different ways of drawing from it."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.figures.style import COLOURS, FAINT, house_style, new_figure, shortened

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
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", parse_math=False)
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
    for label in panels[0].get_yticklabels():
        label.set_parse_math(False)
    return figure

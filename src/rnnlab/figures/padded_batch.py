"""A batch of documents as the network gets it: a row each, a cell for each token, padding in grey."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rnnlab.figures.style import COLOURS, FAINT, GRID, INK, house_style, new_figure, shortened

CELL, ROW = 0.78, 0.46  # inches
LONGEST = 10
"""Letters of a token; a longer one is cut."""
MOST = 16
"""Cells of a row that fit on a page."""


@house_style()
def padded_batch_figure(
    title: str, tokens: npt.ArrayLike, lengths: npt.ArrayLike, words: Sequence[str]
) -> Figure:
    """Draw each token with its id below it, and each document's length behind it.

    Args:
        title: what is shown.
        tokens: ids ``(batch, time)``; of more than ``MOST`` steps only the first are drawn.
        lengths: ``(batch,)`` where each document ends.
        words: the token of each id.
    """
    ids, ends = np.asarray(tokens), np.asarray(lengths)
    time = min(ids.shape[1], MOST)
    figure = new_figure(time * CELL + 1.2, len(ids) * ROW + 0.9)
    panel = figure.add_subplot()
    panel.set_title(title)
    panel.set(xlim=(-0.05, time + 1.2), ylim=(len(ids) + 0.1, -0.1))
    panel.set_xticks([step + 0.5 for step in range(time)], [str(step) for step in range(time)])
    panel.set_yticks([])
    panel.set_xlabel("step", loc="left")
    panel.tick_params(length=0)
    for side in ("left", "bottom"):
        panel.spines[side].set_visible(False)
    for row, (line, end) in enumerate(zip(ids.tolist(), ends.tolist(), strict=True)):
        for step, number in enumerate(line[:time]):
            draw_cell(panel, step, row, words[number] if step < end else None, number)
        panel.text(time + 0.15, row + 0.5, f"length {end}", va="center", fontsize=9, color=FAINT)
    return figure


def draw_cell(panel: Axes, step: int, row: int, word: str | None, number: int) -> None:
    """Draw one token with its id; padding where there is none."""
    padding = word is None
    ground = GRID if padding else COLOURS[0]
    panel.add_patch(
        Rectangle((step + 0.03, row + 0.06), 0.94, 0.88, facecolor=ground, alpha=1 if padding else 0.16)
    )
    if word is not None:
        panel.text(
            step + 0.5,
            row + 0.38,
            shortened(word, LONGEST),
            ha="center",
            va="center",
            fontsize=9,
            color=INK,
            parse_math=False,
        )
    panel.text(step + 0.5, row + 0.75, str(number), ha="center", va="center", fontsize=7, color=FAINT)

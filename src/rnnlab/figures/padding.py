"""Batches as rectangles: what of them is padding."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rnnlab.figures.drawing import COLOURS, FAINT, GRID, WIDTH, house_style, new_figure, shortened, write

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
    ground, alpha = (GRID, 1.0) if word is None else (COLOURS[0], 0.16)
    panel.add_patch(Rectangle((step + 0.03, row + 0.06), 0.94, 0.88, facecolor=ground, alpha=alpha))
    if word is not None:
        write(panel, step + 0.5, row + 0.38, shortened(word, LONGEST), 9)
    write(panel, step + 0.5, row + 0.75, str(number), 7, FAINT)


Lengths = npt.NDArray[np.int64]


@house_style()
def padding_figure(batchings: Mapping[str, Sequence[Lengths]]) -> Figure:
    """Draw some ways to put the same documents into batches, one below the other.

    Args:
        batchings: for each way, by its name, the batches in their order: the tokens of each document,
            ``(batch,)``.
    """
    figure = new_figure(2 * WIDTH, 1.9 * len(batchings) + 0.4)
    panels = np.atleast_1d(figure.subplots(len(batchings), 1, sharey=True))
    for panel, (name, batches) in zip(panels, batchings.items(), strict=True):
        draw_batches(panel, batches)
        panel.set_title(f"{name}: {padded_share(batches):.1%} padding")
        panel.set_ylabel("tokens")
    panels[-1].set_xlabel("documents, batch after batch")
    panels[0].legend(loc="upper right", ncols=2)
    return figure


def draw_batches(panel: Axes, batches: Sequence[Lengths]) -> None:
    """Draw a bar for each document, and behind it what its batch's longest document adds."""
    lengths = np.concatenate(list(batches))
    padded = np.concatenate([np.full(len(batch), batch.max()) for batch in batches])
    panel.stairs(padded, fill=True, color=COLOURS[1], alpha=0.35, label="padding")
    panel.stairs(lengths, fill=True, color=COLOURS[0], label="tokens")
    for edge in np.cumsum([len(batch) for batch in batches])[:-1]:
        panel.axvline(edge, color=FAINT, linewidth=0.6)
    panel.set_xlim(0, len(lengths))


def padded_share(batches: Sequence[Lengths]) -> float:
    """Return the share of positions that hold no token.

    >>> round(padded_share([np.array([4, 2]), np.array([1, 1])]), 3)
    0.2
    """
    positions = sum(len(batch) * int(batch.max()) for batch in batches)
    return 1 - sum(int(batch.sum()) for batch in batches) / positions

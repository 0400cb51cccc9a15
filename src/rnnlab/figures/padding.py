"""What batching costs: documents as bars, and the padding that each batch adds to them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.figures.style import COLOURS, FAINT, WIDTH, house_style, new_figure

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

"""Truncated backpropagation through time, drawn: a text as columns, and the windows they are read in."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from rnnlab.figures.drawing import COLOURS, FAINT, colour, house_style, new_figure, shortened, write

CELL = 0.46  # inches
GAP = 1.1
"""Cells between two windows."""
GRID_TOP, ROW, LEGEND = 2.1, 1.25, 9.5
"""Where the columns begin, the height of one, and the width of what is said beside them, in cells."""
DASHES = (0, (2, 2))
STATE, CUT = COLOURS[2], COLOURS[1]


class Window(NamedTuple):
    """One window of every column.

    Attributes:
        inputs: what is read at each place, ``(columns, steps)``.
        targets: what is to be predicted there; None where the column has ended.
    """

    inputs: Sequence[Sequence[str]]
    targets: Sequence[Sequence[str | None]]

    @classmethod
    def of(
        cls,
        tokens: npt.ArrayLike,
        targets: npt.ArrayLike,
        counted: npt.ArrayLike | None,
        words: Sequence[str],
    ) -> "Window":
        """Return a window of ids as one of tokens.

        Args:
            tokens: inputs ``(columns, steps)``.
            targets: what is to be predicted, of the same shape.
            counted: False where a column has ended, of the same shape; None where none has.
            words: the token of each id.
        """
        ids, wanted = np.asarray(tokens), np.asarray(targets)
        there = np.ones(ids.shape, dtype=bool) if counted is None else np.asarray(counted)
        return cls(
            [[words[number] for number in row] for row in ids],
            [
                [words[number] if is_there else None for number, is_there in zip(*pair, strict=True)]
                for pair in zip(wanted, there, strict=True)
            ],
        )


@house_style()
def truncated_bptt_figure(title: str, windows: Sequence[Window]) -> Figure:
    """Draw the text as one line in its columns' colours, and below it the columns in their windows.

    A cell holds the token to predict, and small below it the one that is read.

    Args:
        title: what is shown.
        windows: in their order, of the same columns.
    """
    columns = len(windows[0].targets)
    text = [
        (target, column)
        for column in range(columns)
        for window in windows
        for target in window.targets[column]
        if target is not None
    ]
    starts, end = [], 0.0
    for window in windows:
        starts.append(end)
        end += len(window.targets[0]) + GAP
    bottom = GRID_TOP + ROW * columns
    wide = max(len(text) + 0.2, end + LEGEND)
    figure = new_figure((wide + 2.4) * CELL, (bottom + 0.6) * CELL + 0.4)
    panel = figure.add_subplot()
    panel.set_title(title)
    panel.set(xlim=(-2.4, wide), ylim=(bottom + 0.3, -0.3))
    panel.set_aspect("equal")
    panel.axis("off")
    for place, (target, column) in enumerate(text):
        draw_token(panel, place, 0, target, None, column)
    panel.text(-0.3, 0.5, "text", ha="right", va="center", fontsize=9, color=FAINT)
    for window, start in zip(windows, starts, strict=True):
        draw_window(panel, window, start)
    steps = [len(window.targets[0]) for window in windows]
    for start, length in zip(starts[:-1], steps[:-1], strict=True):
        draw_border(panel, start + length, columns)
    for number, (start, length) in enumerate(zip(starts, steps, strict=True)):
        panel.text(
            start + length / 2, GRID_TOP - 0.3, f"window {number}", ha="center", fontsize=9, color=FAINT
        )
    explain(panel, end + 0.4, (GRID_TOP + bottom) / 2)
    return figure


def draw_window(panel: Axes, window: Window, start: float) -> None:
    """Draw the places of a window, and below each column how far back its gradients flow."""
    for column, (inputs, targets) in enumerate(zip(window.inputs, window.targets, strict=True)):
        top = GRID_TOP + ROW * column
        for step, (read, target) in enumerate(zip(inputs, targets, strict=True)):
            if target is not None:
                draw_token(panel, start + step, top, target, read, column)
        if start == 0:
            panel.text(-0.3, top + 0.5, f"column {column}", ha="right", va="center", fontsize=9, color=FAINT)
        there = sum(target is not None for target in targets)
        draw_arrow(panel, (start + there, top + 1.12), (start, top + 1.12), CUT)


def draw_token(panel: Axes, left: float, top: float, target: str, read: str | None, column: int) -> None:
    """Draw one place."""
    panel.add_patch(
        Rectangle((left + 0.04, top + 0.04), 0.92, 0.92, facecolor=colour(column), alpha=0.22, linewidth=0)
    )
    write(panel, left + 0.5, top + (0.5 if read is None else 0.38), shortened(target, 5), 9)
    if read is not None:
        write(panel, left + 0.5, top + 0.78, shortened(read, 6), 6, FAINT)


def draw_border(panel: Axes, left: float, columns: int) -> None:
    """Draw what crosses the border of two windows, and what does not."""
    middle = left + GAP / 2
    bottom = GRID_TOP + ROW * columns
    panel.plot([middle, middle], [GRID_TOP - 0.2, bottom], color=CUT, linestyle=DASHES, linewidth=1.2)
    for column in range(columns):
        height = GRID_TOP + 0.5 + ROW * column
        draw_arrow(panel, (left + 0.05, height), (left + GAP - 0.05, height), STATE)


def draw_arrow(panel: Axes, begin: tuple[float, float], end: tuple[float, float], ink: str) -> None:
    """Draw an arrow."""
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
    panel.add_patch(FancyArrowPatch(begin, end, color=ink, linewidth=1.3, **style))


def explain(panel: Axes, left: float, middle: float) -> None:
    """Write what letters and arrows mean, beside the columns."""
    right, cut = left + 1.3, middle + 0.85
    lines = {
        middle - 0.85: "large: to be predicted; small: just read",
        middle: "state, carried along its column",
        cut: "gradients, cut here",
    }
    for height, line in lines.items():
        panel.text(left + 1.6, height, line, va="center", fontsize=9)
    draw_arrow(panel, (left, middle), (right, middle), STATE)
    draw_arrow(panel, (right, cut), (left, cut), CUT)
    panel.plot([right] * 2, [cut - 0.3, cut + 0.3], color=CUT, linestyle=DASHES, linewidth=1.2)

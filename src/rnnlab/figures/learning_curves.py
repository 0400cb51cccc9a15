"""Learning curves: each metric of training and validation over the steps, of one run or of several."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.figures.drawing import colours_of, house_style, name_lines, new_panel, note

Numbers = npt.NDArray[np.float64]

LINES = {"train": "--", "validation": "-", "test": ":"}
"""How the lines of several runs' splits are drawn; a single run's have a colour each."""


class Series(NamedTuple):
    """A scalar over the training.

    Attributes:
        steps: ``(points,)`` optimizer steps.
        values: ``(points,)``; what is not a number is drawn as a gap.
    """

    steps: Numbers
    values: Numbers

    @property
    def gaps(self) -> int:
        """How many values are no numbers."""
        return int(np.sum(~np.isfinite(self.values)))


@house_style()
def learning_curve_figure(metric: str, runs: Mapping[str, Mapping[str, Series]]) -> Figure:
    """Draw one metric of every split and run.

    Args:
        metric: its name, such as ``loss``.
        runs: for each run its splits' series, such as ``{"gru": {"train": ..., "validation": ...}}``.
    """
    figure, panel = new_panel(title_of(metric), "optimizer steps", metric.replace("_", " "))
    alone = len(runs) == 1
    of_runs = {} if alone else colours_of(runs)
    for run, lines in runs.items():
        colours = colours_of(lines) if alone else dict.fromkeys(lines, of_runs[run])
        for name, series in lines.items():
            label = name if alone else run if len(lines) == 1 else f"{run}, {name}"
            panel.plot(
                series.steps,
                np.where(np.isfinite(series.values), series.values, np.nan),
                color=colours[name],
                linestyle="-" if alone else LINES.get(name, "-"),
                marker="o" if len(series.steps) <= 30 else None,
                markersize=4,
                linewidth=2 if len(series.steps) <= 300 else 1,
                label=label,
            )
    panel.grid(True)
    if sum(map(len, runs.values())) > 1:
        name_lines(panel, "best")
    panel.margins(x=0.02)
    panel.ticklabel_format(axis="x", style="plain")
    gaps = sum(series.gaps for lines in runs.values() for series in lines.values())
    note(figure, f"gaps: values that are not numbers ({gaps:,})" if gaps else "")
    return figure


def title_of(metric: str) -> str:
    """Return a metric's name as a title.

    >>> title_of("bits_per_character"), title_of("f1/good"), title_of("auroc")
    ('Bits per character', 'F1, good', 'AUROC')
    """
    words = metric.replace("_", " ").replace("/", ", ").replace("auroc", "AUROC")
    return words[:1].upper() + words[1:]

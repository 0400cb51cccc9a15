"""Swept runs, drawn: a metric by the value of a key, and a search's trials as they came."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from rnnlab.figures.drawing import (
    COLOURS,
    FAINT,
    HEIGHT,
    colours_of,
    house_style,
    logarithmic,
    name_lines,
    new_panel,
    note,
)
from rnnlab.figures.learning_curves import title_of

WIDE = 20
"""Settings whose largest is so many times the smallest are drawn on a logarithmic axis."""

ROOM = 0.13
"""Share of an axis that a number of five digits takes."""


@dataclass(frozen=True)
class Point:
    """A metric at one setting.

    Attributes:
        at: the setting: a number, or a word.
        mean: over the runs.
        deviation: their standard deviation over seeds; None where there is none.
        count: how many runs.
        is_mixed: whether the runs differ in more than their seeds.
    """

    at: float | str
    mean: float
    deviation: float | None
    count: int
    is_mixed: bool = False


@house_style()
def metric_by_key_figure(metric: str, key: str, lines: Mapping[str, Sequence[Point]]) -> Figure:
    """Draw a line with error bars (one standard deviation) for each name.

    Args:
        metric: its name, such as ``test/accuracy``.
        key: the name of the setting from left to right.
        lines: points of each line by its name; a single line may have an empty one.
    """
    split, _, name = metric.partition("/")
    figure, panel = new_panel(f"{title_of(name)} by {key}", key, f"{split} {name.replace('_', ' ')}")
    every = [point for points in lines.values() for point in points]
    words = list(dict.fromkeys(str(point.at) for point in every))
    in_numbers = all(isinstance(point.at, float) for point in every)
    colours = colours_of(lines)
    for label, points in lines.items():
        there = [point for point in points if math.isfinite(point.mean)]
        panel.errorbar(
            [float(point.at) if in_numbers else words.index(str(point.at)) for point in there],
            [point.mean for point in there],
            yerr=[point.deviation or 0.0 for point in there],
            color=colours[label],
            linestyle="-" if in_numbers else "none",
            marker="o",
            markersize=5,
            capsize=3,
            elinewidth=1.2,
            label=label or None,
        )
    mark_settings(panel, every, words if not in_numbers else None)
    panel.grid(True, axis="y")
    if len(lines) > 1:
        name_lines(panel, "best")
    lost = sum(not math.isfinite(point.mean) for point in every)
    note(
        figure,
        told_counts([point.count for point in every if not point.is_mixed]),
        "without a deviation: means of runs that differ in more than their seeds"
        if any(point.is_mixed for point in every)
        else "",
        f"without {lost} whose value is not a number" if lost else "",
    )
    return figure


def mark_settings(panel: Axes, points: Sequence[Point], words: Sequence[str] | None) -> None:
    """Mark words by their names; numbers far apart go on a logarithmic axis, each marked if there is room."""
    if words is not None:
        panel.set_xticks(range(len(words)), words)
        panel.margins(x=0.15)
        return
    places = sorted({float(point.at) for point in points})
    if places and places[0] > 0 and places[-1] / places[0] >= WIDE:
        logarithmic(panel.xaxis)
        closest = min(math.log(later / earlier) for earlier, later in pairwise(places))
        if closest / math.log(places[-1] / places[0]) >= ROOM:
            panel.xaxis.set_major_locator(FixedLocator(places))


def told_counts(counts: Sequence[int]) -> str:
    """Return a line on the runs behind each point, empty where there is one each.

    >>> told_counts([3, 3]), told_counts([1, 3]), told_counts([1])
    ('mean and standard deviation of 3 runs', 'mean and standard deviation of 1 to 3 runs', '')
    """
    if not counts or max(counts) == 1:
        return ""
    many = str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    return f"mean and standard deviation of {many} runs"


@house_style()
def history_figure(
    numbers: Sequence[int],
    values: Sequence[float | None],
    pruned: Sequence[int],
    *,
    metric: str,
    mode: Literal["min", "max"],
) -> Figure:
    """Draw each trial's result, and the best so far.

    Args:
        numbers: of the trials, rising.
        values: the metric of each; ``None`` where a trial has none.
        pruned: numbers of those that were not finished because they were hopeless.
        metric: its name.
        mode: whether it is best at its ``min`` or its ``max``.
    """
    figure, panel = new_panel("Search", "trial", metric)
    found = np.asarray(values, dtype=float)
    known = ~np.isnan(found)
    accumulate = np.fmax.accumulate if mode == "max" else np.fmin.accumulate
    panel.grid(axis="y")
    panel.plot(np.asarray(numbers)[known], found[known], "o", color=COLOURS[0], markersize=5, label="trial")
    panel.step(numbers, accumulate(found), where="post", color=COLOURS[1], label="best so far")
    if pruned:
        bottom = panel.get_ylim()[0]
        panel.plot(
            pruned, [bottom] * len(pruned), "x", color=FAINT, markersize=6, clip_on=False, label="pruned"
        )
        panel.set_ylim(bottom=bottom)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(loc="best")
    return figure


@house_style()
def importances_figure(importances: Mapping[str, float], metric: str) -> Figure:
    """Draw the share of each key in what the metric varies by.

    Args:
        importances: by the key, adding up to 1.
        metric: its name.
    """
    names = sorted(importances, key=lambda name: importances[name])
    shares = [importances[name] for name in names]
    height = max(HEIGHT / 2, 0.45 * len(names) + 1)
    figure, panel = new_panel("What mattered", f"share in the variance of {metric}", "", height=height)
    bars = panel.barh(names, shares, color=COLOURS[0])
    panel.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3)
    panel.set_xlim(0, 1.12 * max(shares, default=1.0))
    panel.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    return figure

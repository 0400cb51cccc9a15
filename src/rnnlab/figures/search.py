"""How a search found its best configuration, and which keys mattered."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnnlab.figures.style import COLOURS, FAINT, HEIGHT, house_style, new_panel


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

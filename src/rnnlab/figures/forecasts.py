"""Figures of forecasts: beside what happened, by step, and whether bands hold what they say."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from rnnlab.figures.drawing import COLOURS, FAINT, INK, colours_of, house_style, new_figure, new_panel, note

Times = npt.NDArray[Any]


class DrawnForecast(NamedTuple):
    """One forecast of one target.

    Attributes:
        title: of the panel.
        times: of look-back and horizon ``(look_back + horizon,)``.
        values: what happened ``(look_back + horizon,)``, NaN where it is not known.
        forecast: ``(horizon,)``.
        bands: what each band says it holds, such as ``"80 %"``, and its lower and upper end ``(horizon,)``,
            the widest first.
    """

    title: str
    times: Times
    values: npt.ArrayLike
    forecast: npt.ArrayLike
    bands: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]


@house_style()
def forecasts_figure(drawn: Sequence[DrawnForecast], up: str = "") -> Figure:
    """Draw forecasts with their bands over what happened, a panel each.

    Args:
        drawn: from top to bottom.
        up: name and unit of the values.
    """
    figure = new_figure(7.0, 0.8 + 2.0 * len(drawn))
    panels = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
    for panel, one in zip(panels, drawn, strict=True):
        said = np.asarray(one.forecast)
        ahead = one.times[-len(said) :]
        for number, (name, (low, high)) in enumerate(one.bands.items()):
            shade = 0.18 + 0.17 * number
            panel.fill_between(ahead, low, high, color=COLOURS[0], alpha=shade, linewidth=0, label=name)
        panel.plot(one.times, one.values, color=INK, linewidth=1.2, label="what happened")
        panel.plot(ahead, said, color=COLOURS[1], linewidth=1.6, label="forecast")
        panel.axvline(ahead[0], color=FAINT, linestyle=":", linewidth=1, label="from here on")
        panel.set(title=one.title, ylabel=up)
        panel.tick_params(axis="x", rotation=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    if one.times.dtype.kind == "M":
        for panel in panels:
            locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
            panel.xaxis.set_major_locator(locator)
            panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return figure


@house_style()
def error_by_step_figure(errors: Mapping[str, npt.ArrayLike], up: str) -> Figure:
    """Draw how the error grows with the distance from what is known.

    Args:
        errors: of each name (the model, a baseline) the error of each step ``(horizon,)``.
        up: name of the error.
    """
    figure, panel = new_panel("Error by step of the horizon", "steps ahead", up)
    colours = colours_of(errors)
    for name, error in errors.items():
        values = np.asarray(error)
        panel.plot(np.arange(1, len(values) + 1), values, color=colours[name], label=name)
    panel.set_ylim(bottom=0)
    panel.grid(True)
    panel.legend()
    return figure


@house_style()
def coverage_figure(shares: Mapping[str, npt.ArrayLike], levels: npt.ArrayLike) -> Figure:
    """Draw which share of what happened lies below each quantile, against what the quantile says.

    Args:
        shares: of each name (a split; before and after an adjustment) the share below each ``(levels,)``.
        levels: what the quantiles say ``(levels,)``.
    """
    figure, panel = new_panel("Coverage", "level of the quantile", "share at or below it")
    panel.plot([0, 1], [0, 1], color=FAINT, linestyle=":", linewidth=1, label="as it says")
    colours = colours_of(shares)
    said = np.asarray(levels, dtype=np.float64)
    for name, share in shares.items():
        held = np.asarray(share, dtype=np.float64)
        worst = 100 * np.abs(held - said).max()
        label = f"{name}: at most {worst:.1f} points off"
        panel.plot(said, held, marker="o", markersize=4, color=colours[name], label=label)
    panel.set(xlim=(0, 1), ylim=(0, 1))
    panel.grid(True)
    panel.legend(loc="upper left")
    return figure


@house_style()
def residuals_figure(residuals: npt.ArrayLike, up: str) -> Figure:
    """Draw what is left of what happened when the forecast is subtracted: its spread by step, and overall.

    Args:
        residuals: ``(windows, horizon)``, NaN where it is not known.
        up: name and unit of what is left.
    """
    left = np.asarray(residuals, dtype=np.float64)
    known = ~np.isnan(left).all(axis=0)
    steps = np.arange(1, left.shape[1] + 1)[known]
    ends = np.nanquantile(left[:, known], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    figure = new_figure(7.0)
    by_step, overall = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    by_step.fill_between(steps, ends[0], ends[4], color=COLOURS[0], alpha=0.18, linewidth=0, label="90 %")
    by_step.fill_between(steps, ends[1], ends[3], color=COLOURS[0], alpha=0.35, linewidth=0, label="50 %")
    by_step.plot(steps, ends[2], color=COLOURS[0], label="median")
    for panel in (by_step, overall):
        panel.axhline(0, color=FAINT, linestyle=":", linewidth=1)
    overall.hist(left[~np.isnan(left)], bins=50, orientation="horizontal", color=COLOURS[0])
    by_step.set(title="What is left", xlabel="steps ahead", ylabel=up)
    overall.set(xlabel="number of values")
    by_step.legend()
    note(figure, "dotted: no error")
    return figure

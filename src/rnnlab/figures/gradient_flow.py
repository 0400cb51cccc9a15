"""How far gradients reach, drawn: norms by distance, at the start and after training, cell beside cell."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rnnlab.figures.drawing import (
    FAINT,
    HEIGHT,
    INK,
    SEQUENTIAL,
    WIDTH,
    colour,
    colours_of,
    house_style,
    new_figure,
    new_panel,
    note,
)

LOWEST, HIGHEST = 1e-12, 1e12
"""Beyond these a gradient is drawn at the border: it moves nothing, or it breaks everything."""


@house_style()
def gradient_by_distance_figure(title: str, curves: Mapping[str, npt.ArrayLike]) -> Figure:
    """Draw gradient norms by the distance from where the loss looked.

    Args:
        title: what is compared.
        curves: ``(distance,)`` by the network's name: norms as shares of that at distance 0; NaN is a gap.
    """
    figure, panel = new_panel(title, "steps back from the loss", "gradient at the state", width=1.5 * WIDTH)
    colours = colours_of(curves)
    for name, shares in curves.items():
        known = np.clip(np.asarray(shares, dtype=np.float64), LOWEST / 10, HIGHEST * 10)
        panel.plot(known, color=colours[name], label=name)
    panel.axhline(FALLEN, color=FAINT, linestyle="--", linewidth=1)
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    panel.set_ylim(max(low, LOWEST), min(max(high, 3.0), HIGHEST))
    panel.grid(True)
    panel.margins(x=0.02)
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    note(figure, f"norm as a share of that at distance 0; dashed: {FALLEN:.0%}")
    return figure


FLOOR = 1e-8
"""The smallest share that is told apart; a gradient that small moves nothing."""
FALLEN = 0.01
"""The share at which the memory is said to end; a line marks it."""

Numbers = npt.NDArray[np.float64]


@house_style()
def gradient_flow_figure(title: str, epochs: Sequence[int], relative: npt.ArrayLike) -> Figure:
    """Draw gradient norms by distance: a curve for each epoch, and beside them all epochs as a heat map.

    Args:
        title: the layer and the state.
        epochs: ``(epochs,)`` how many were done, rising.
        relative: ``(epochs, distance)`` norms as shares of that at distance 0; NaN is drawn as a gap.
    """
    shares = np.asarray(relative, dtype=np.float64)
    figure = new_figure(2 * WIDTH, HEIGHT)
    left, right = figure.subplots(1, 2)
    curves(left, epochs, shares)
    left.set_title(title)
    heat_map(figure, right, epochs, shares)
    note(figure, f"norm of the loss's gradient as a share of that at distance 0; dashed: {FALLEN:.0%}")
    return figure


def curves(panel: Axes, epochs: Sequence[int], relative: Numbers) -> None:
    """Draw a curve for each epoch, coloured by its number."""
    colours = colormaps[SEQUENTIAL]
    scale = Normalize(min(epochs), max(max(epochs), min(epochs) + 1))
    for epoch, shares in zip(epochs, relative, strict=True):
        panel.plot(np.maximum(shares, FLOOR / 10), color=colours(scale(epoch)), linewidth=1.5)
    panel.axhline(FALLEN, color=FAINT, linestyle="--", linewidth=1)
    panel.set(yscale="log", xlabel="distance from the loss, tokens", ylabel="gradient at the state")
    highest = np.nanmax(relative, initial=1.0)
    panel.set_ylim(max(FLOOR, np.nanmin(np.maximum(relative, FLOOR), initial=FALLEN) / 3), 3 * highest)
    panel.margins(x=0.02)
    panel.grid(True)
    if len(epochs) > 1:
        bar = panel.figure.colorbar(ScalarMappable(scale, colours), ax=panel, pad=0.02)
        bar.set_label("epochs done")
        bar.locator = MaxNLocator(integer=True)


def heat_map(figure: Figure, panel: Axes, epochs: Sequence[int], relative: Numbers) -> None:
    """Draw epoch by distance, the colour on a logarithmic scale, with a line where a hundredth is left."""
    shares = np.maximum(relative, FLOOR)
    image = panel.pcolormesh(
        np.arange(relative.shape[1]),
        np.arange(len(epochs)),
        np.ma.masked_invalid(shares),
        norm=LogNorm(FLOOR, max(1.0, float(np.nanmax(shares, initial=1.0)))),
        cmap=SEQUENTIAL,
        shading="nearest",
        rasterized=True,
    )
    known = np.nan_to_num(shares, nan=FLOOR)
    if min(relative.shape) > 1 and known.min() < FALLEN < known.max():
        panel.contour(known, levels=[FALLEN], colors="white", linestyles="--", linewidths=1.2)
    ticks = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), 6)).round().astype(int))
    panel.set_yticks(ticks, [str(epochs[tick]) for tick in ticks])
    panel.set(xlabel="distance from the loss, tokens", ylabel="epochs done")
    figure.colorbar(image, ax=panel, pad=0.02).set_label("gradient at the state")


@house_style()
def saturation_figure(title: str, epochs: Sequence[int], shares: Mapping[str, Sequence[float]]) -> Figure:
    """Draw which share of the gates is open or shut, and of the tanh units at a limit, over the epochs.

    Args:
        title: the layer.
        epochs: ``(epochs,)`` how many were done, rising.
        shares: ``(epochs,)`` of each kind by its name.
    """
    figure, panel = new_panel(title, "epochs done", "share of values", width=1.4 * WIDTH)
    units = list(dict.fromkeys(name.rpartition(" ")[0] for name in shares))
    for name, values in shares.items():
        unit = colour(units.index(name.rpartition(" ")[0]))
        panel.plot(epochs, values, marker="o", markersize=4, label=name, color=unit, linestyle=line_of(name))
    panel.set_ylim(-0.03, 1.03)
    panel.grid(True)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    note(figure, "shut: below 0.1; open: above 0.9; saturated: beyond ±0.9")
    return figure


def line_of(name: str) -> str:
    """Return how the line of a share is drawn: open gates solid, shut ones dotted, tanh units dashed.

    >>> line_of("forget open"), line_of("forget shut"), line_of("candidate saturated")
    ('-', ':', '--')
    """
    return {"open": "-", "shut": ":"}.get(name.rpartition(" ")[2], "--")


class Remembered(NamedTuple):
    """A finished run on a memory problem.

    Attributes:
        network: what to call the network, such as ``lstm`` or ``lstm, forget bias 1``.
        distance: steps over which it had to remember.
        accuracy: share of the test split's answers that are correct.
        before: gradient norms by distance as shares of the first, before training; empty where not measured.
        after: the same with the training done.
    """

    network: str
    distance: int
    accuracy: float
    before: Sequence[float]
    after: Sequence[float]


@house_style()
def vanishing_gradient_figure(problem: str, runs: Sequence[Remembered], blind: float) -> Figure:
    """Draw accuracy against distance, and gradients at the farthest distance where all networks have them.

    Args:
        problem: its name.
        runs: of any networks and distances; several of one network and distance are averaged (seeds).
        blind: the accuracy of answering without looking at the sequence.
    """
    figure = new_figure(2.2 * WIDTH, 1.1 * HEIGHT)
    left, right = figure.subplots(1, 2)
    networks = list(dict.fromkeys(run.network for run in runs))
    colours = colours_of(networks)
    for network in networks:
        distances, accuracies = accuracy_by_distance([run for run in runs if run.network == network])
        left.plot(distances, accuracies, marker="o", color=colours[network], label=network, clip_on=False)
    accuracy_axes(left, problem, sorted({run.distance for run in runs}), blind)
    farthest = farthest_measured(runs, networks)
    for network in networks:
        same = [run for run in runs if run.network == network and run.distance == farthest]
        for curves, line in (([run.before for run in same], ":"), ([run.after for run in same], "-")):
            gradient_curve(right, curves, colours[network], line)
    gradient_axes(right, farthest)
    note(
        figure,
        f"gradient: norm at a state as a share of that where the answer is asked for; dashed: {FALLEN:.0%}",
    )
    return figure


def farthest_measured(runs: Sequence[Remembered], networks: Sequence[str]) -> int:
    """Return the farthest distance at which all networks, or else any, have gradients."""
    everything = {run.distance for run in runs}
    measured = [{run.distance for run in runs if run.network == one and len(run.after)} for one in networks]
    return max(set.intersection(*measured) or set.union(*measured) or everything)


def accuracy_by_distance(runs: Sequence[Remembered]) -> tuple[list[int], list[float]]:
    """Return the distances of one network's runs, rising, and the mean accuracy at each."""
    distances = sorted({run.distance for run in runs})
    means = [float(np.mean([run.accuracy for run in runs if run.distance == at])) for at in distances]
    return distances, means


def accuracy_axes(panel: Axes, problem: str, distances: Sequence[int], blind: float) -> None:
    """Name the axes of the left panel, and mark what is reached without looking."""
    panel.axhline(blind, color=FAINT, linestyle="--", linewidth=1, label="without looking")
    panel.set_title(f"{problem.replace('_', ' ').capitalize()}: what is remembered")
    panel.set_xscale("log")
    panel.set_xticks(distances, [str(distance) for distance in distances])
    panel.set_xticks([], minor=True)
    panel.set(xlabel="distance to remember over, steps", ylabel="accuracy", ylim=(0, 1.02))
    panel.grid(True)
    panel.legend(loc="best")


def gradient_curve(panel: Axes, curves: Sequence[Sequence[float]], colour: str, line: str) -> None:
    """Draw the geometric mean of gradients by distance; nothing where none was measured."""
    known = [np.asarray(curve, dtype=np.float64) for curve in curves if len(curve)]
    if not known:
        return
    length = min(map(len, known))
    logarithms = [np.log(np.maximum(curve[:length], LOWEST / 100)) for curve in known]
    panel.plot(np.exp(np.mean(logarithms, axis=0)), color=colour, linestyle=line)


def gradient_axes(panel: Axes, distance: int) -> None:
    """Name the axes of the right panel."""
    panel.axhline(FALLEN, color=FAINT, linestyle="--", linewidth=1)
    panel.set_title(f"Why: the gradient, at distance {distance}")
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    panel.set_ylim(max(low, LOWEST), max(high, 3.0))
    panel.set(xlabel="steps back from the answer", ylabel="gradient at the state")
    panel.grid(True)
    panel.margins(x=0.02)
    before = Line2D([], [], color=INK, linestyle=":", label="before training")
    after = Line2D([], [], color=INK, linestyle="-", label="after training")
    panel.legend(handles=[before, after], loc="best")

"""What networks still answer at growing distances, and the gradients that say why."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rnnlab.figures.style import (
    COLOURS,
    FAINT,
    HEIGHT,
    INK,
    WIDTH,
    colours_of_cells,
    house_style,
    new_figure,
    note,
)

FLOOR = 1e-12
"""The smallest share of a gradient that is shown."""
FALLEN = 0.01


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
    colours = colours_of_networks(networks)
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
    note(figure, "gradient: norm at a state as a share of that where the answer is asked for")
    return figure


def farthest_measured(runs: Sequence[Remembered], networks: Sequence[str]) -> int:
    """Return the farthest distance at which all networks, or else any, have gradients."""
    everything = {run.distance for run in runs}
    measured = [{run.distance for run in runs if run.network == one and len(run.after)} for one in networks]
    return max(set.intersection(*measured) or set.union(*measured) or everything)


def colours_of_networks(networks: Sequence[str]) -> dict[str, str]:
    """Return a colour for each: plain cells have their own, the others take what is left."""
    cells = colours_of_cells()
    taken = {network: cells[network] for network in networks if network in cells}
    left = [colour for colour in COLOURS if colour not in taken.values()]
    others = [network for network in networks if network not in taken]
    return taken | {network: left[number % len(left)] for number, network in enumerate(others)}


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
    logarithms = [np.log(np.maximum(curve[:length], FLOOR / 100)) for curve in known]
    panel.plot(np.exp(np.mean(logarithms, axis=0)), color=colour, linestyle=line)


def gradient_axes(panel: Axes, distance: int) -> None:
    """Name the axes of the right panel."""
    panel.axhline(FALLEN, color=FAINT, linestyle="--", linewidth=1)
    panel.set_title(f"Why: the gradient, at distance {distance}")
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    panel.set_ylim(max(low, FLOOR), max(high, 3.0))
    panel.set(xlabel="steps back from the answer", ylabel="gradient at the state")
    panel.grid(True)
    panel.margins(x=0.02)
    before = Line2D([], [], color=INK, linestyle=":", label="before training")
    after = Line2D([], [], color=INK, linestyle="-", label="after training")
    panel.legend(handles=[before, after], loc="best")

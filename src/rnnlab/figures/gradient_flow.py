"""How far gradients reach, as it changes over a training."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnnlab.figures.style import (
    FAINT,
    HEIGHT,
    SEQUENTIAL,
    WIDTH,
    colour,
    house_style,
    new_figure,
    new_panel,
    note,
)

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
    figure.colorbar(image, ax=panel, pad=0.02)


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

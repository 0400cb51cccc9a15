"""How gradients fade, or grow, on their way back through time: a curve for each network."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rnnlab.figures.gradient_flow import FALLEN
from rnnlab.figures.style import FAINT, WIDTH, colours_of, house_style, new_panel, note

FLOOR, CEILING = 1e-12, 1e12
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
        known = np.clip(np.asarray(shares, dtype=np.float64), FLOOR / 10, CEILING * 10)
        panel.plot(known, color=colours[name], label=name)
    panel.axhline(FALLEN, color=FAINT, linestyle="--", linewidth=1)
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    panel.set_ylim(max(low, FLOOR), min(max(high, 3.0), CEILING))
    panel.grid(True)
    panel.margins(x=0.02)
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    note(figure, f"norm as a share of that at distance 0; dashed: {FALLEN:.0%}")
    return figure

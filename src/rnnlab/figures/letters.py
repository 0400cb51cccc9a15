"""Monospaced text drawn as shapes: each letter once, at all its places.

matplotlib's own texts take a tenth of a millisecond a letter and are laid out anew for each canvas; a page of
thousands of letters then costs more than all other figures of a run.
"""

import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

POINTS = 9
"""Size of the letters."""
LETTER = 0.602 * POINTS / 72
"""Width of a letter in inches: DejaVu Sans Mono, in which all are equally wide."""


class Line(NamedTuple):
    """A piece of text on one line.

    Attributes:
        text: without line breaks.
        left: where its first letter begins, in inches.
        baseline: what its letters stand on, in inches.
    """

    text: str
    left: float
    baseline: float


class Letter(Line2D):
    """One letter wherever it stands: a marker, which a canvas draws once and copies.

    Attributes:
        letter: which.
    """

    def __init__(self, letter: str, places: Sequence[tuple[float, float]], colour: str) -> None:
        self.letter = letter
        outline = shape(letter)
        reach = np.abs(outline.vertices).max()  # what matplotlib takes for half a marker's size
        across, up = zip(*places, strict=True)
        marker = {"marker": outline, "markersize": 2 * reach, "markeredgewidth": 0}
        super().__init__(across, up, linestyle="", color=colour, **marker)


@lru_cache(1024)
def shape(letter: str) -> Path:
    """Return a letter's outline in points; where the font has none, a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        found = TextPath((0, 0), letter, size=POINTS, prop=FontProperties(family="DejaVu Sans Mono"))
    share = 72 * LETTER / max(found.get_extents().width, 72 * LETTER)
    # Outlines of upright and level strokes alone, as of "i" and ".", would be moved to whole pixels, side by
    # side; leaning by a thousandth, all letters are drawn alike.
    return found.transformed(Affine2D().scale(share).skew(0.001, 0.001))


def write_lines(panel: Axes, lines: Iterable[Line], colour: str) -> None:
    """Write text.

    Args:
        panel: what is written on; a unit of its axes is an inch.
        lines: the text.
        colour: of the letters.
    """
    places: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for number, letter in enumerate(line.text):
            if letter.isprintable() and not letter.isspace():
                places.setdefault(letter, []).append((line.left + number * LETTER, line.baseline))
    for letter, found in places.items():
        panel.add_line(Letter(letter, found, colour))

"""Words of a text on grounds as strong as their part in the answer, as an image."""

import textwrap
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from rnnlab.figures.drawing import FAINT, INK, HouseFigure, house_style, shortened
from rnnlab.figures.explanation import AGAINST, FOR, Excerpt, Explanation, excerpt

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


LETTERS = 92
"""Letters of a line; all are equally wide, so that the colours behind them need no measuring."""
LINE = 0.19
"""Height of a line in inches."""
MOST_LINES = 2
"""Of a text; what does not fit is left out around the strongest words."""
DPI = 120
"""At which a letter is as many whole pixels wide as ``LETTER`` says, to a hundredth."""
LONGEST = 40
"""Letters of a word; a longer one is cut."""
FAINTEST = 0.03
"""Strength below which a colour would not be seen."""

Square = tuple[tuple[tuple[float, float], ...], tuple[float, float, float, float]]
"""Corners and colour."""


@house_style()
def coloured_words_figure(title: str, meaning: str, explanations: Sequence[Explanation]) -> Figure:
    """Draw texts one under another, each with its title and its words on coloured ground.

    Args:
        title: what the texts have in common.
        meaning: what the colours mean.
        explanations: the texts; of a long one the most telling part is drawn.
    """
    blocks = [placed(excerpt(one, MOST_LINES * (LETTERS - 8)), one.separator) for one in explanations]
    told = textwrap.wrap(meaning if blocks else "There are none.", LETTERS + 20)
    lines = sum(1.4 + block.lines for block in blocks) + 3.2 + len(told)
    figure = HouseFigure(figsize=(LETTERS * LETTER + 0.5, lines * LINE), dpi=DPI)
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set(xlim=(-0.25, LETTERS * LETTER + 0.25), ylim=(-lines * LINE, 0))
    panel.axis("off")
    panel.text(0, -1.2 * LINE, title, fontsize=12, fontweight="bold")
    for number, line in enumerate(told):
        panel.text(0, -(2.4 + number) * LINE, line, fontsize=9)
    height, squares = -(2.8 + len(told)) * LINE, list[Square]()
    titles, texts = list[Line](), list[Line]()
    for block, explanation in zip(blocks, explanations, strict=True):
        titles.append(Line(shortened(visible(explanation.title), LETTERS), 0, height))
        texts += (Line(word, at * LETTER, height - (1 + line) * LINE) for word, line, at, _ in block.words)
        squares += ground(block, height - LINE)
        height -= (1.4 + block.lines) * LINE
    write_lines(panel, titles, FAINT)
    write_lines(panel, texts, INK)
    corners, colours = zip(*squares, strict=True) if squares else ((), ())
    panel.add_collection(PolyCollection(corners, facecolors=colours, linewidths=0, zorder=0))
    return figure


class Placed(NamedTuple):
    """Words in lines.

    Attributes:
        words: each word's text, line, first letter and strength.
        lines: how many lines there are.
    """

    words: list[tuple[str, int, int, float]]
    lines: int


def placed(part: Excerpt, separator: str) -> Placed:
    """Break an excerpt into lines of ``LETTERS`` letters."""
    found: list[tuple[str, int, int, float]] = []
    line = at = 0
    for word, strength in zip(part.words, part.strengths, strict=True):
        shown = shortened(visible(word), LONGEST)
        if at and at + len(shown) > LETTERS:
            line, at = line + 1, 0
        found.append((shown, line, at, strength))
        at += len(shown) + len(separator)
    return Placed(found, line + 1)


def visible(word: str) -> str:
    """Return a word without line breaks and tabs, which a figure would break at.

    >>> visible("a\\tb\\n")
    'a⇥b↵'
    """
    return word.replace("\n", "↵").replace("\t", "⇥").replace("\r", "␍")


def ground(block: Placed, top: float) -> list["Square"]:
    """Return the coloured squares behind a text's words."""
    found: list[Square] = []
    for word, line, at, strength in block.words:
        if abs(strength) >= FAINTEST:
            left, right = at * LETTER, (at + len(word)) * LETTER
            low, high = top - (line + 0.3) * LINE, top - (line - 0.65) * LINE
            red, green, blue = (part / 255 for part in (FOR if strength >= 0 else AGAINST))
            corners = ((left, low), (right, low), (right, high), (left, high))
            found.append((corners, (red, green, blue, abs(strength) * 0.7)))
    return found

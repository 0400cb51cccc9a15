"""Texts with coloured words as a figure: what each word did to an answer, or how surprising it was."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from rnnlab.figures.explanation import Explanation
from rnnlab.figures.explanation_views import AGAINST, FOR
from rnnlab.figures.letters import LETTER, Line, write_lines
from rnnlab.figures.style import FAINT, INK, HouseFigure, house_style, shortened

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


class Excerpt(NamedTuple):
    """A part of an explained text.

    Attributes:
        words: what is shown, with an ellipsis where something is left out.
        strengths: of each word, in [-1, 1].
    """

    words: tuple[str, ...]
    strengths: tuple[float, ...]


def excerpt(explanation: Explanation, letters: int) -> Excerpt:
    """Return the stretch of about so many letters in which the words' strengths add up to most."""
    lengths = [len(word) + len(explanation.separator) for word in explanation.words]
    strengths = explanation.strengths()
    best, best_weight, start, room, weight = (0, 0), -1.0, 0, 0, 0.0
    for end, length in enumerate(lengths):
        room, weight = room + length, weight + abs(strengths[end])
        while room > letters and start < end:
            room, weight, start = room - lengths[start], weight - abs(strengths[start]), start + 1
        if weight > best_weight:
            best, best_weight = (start, end + 1), weight
    first, last = best
    before, after = ("…",) * (first > 0), ("…",) * (last < len(lengths))
    return Excerpt(
        (*before, *explanation.words[first:last], *after),
        (*(0.0 for _ in before), *strengths[first:last], *(0.0 for _ in after)),
    )


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

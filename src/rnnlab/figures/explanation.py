"""Which words speak for an answer: the numbers, and how a terminal, a page and TensorBoard show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

from rich.console import Group
from rich.text import Text

from rnnlab.atomic import write_text
from rnnlab.figures.markdown import escaped
from rnnlab.visible import visible


@dataclass(frozen=True)
class Explanation:
    """Words with a number each, and what the numbers mean.

    Attributes:
        title: the answer, in a sentence.
        method: how the numbers come about, in a sentence.
        words: the tokens that the model read, as a person reads them.
        values: a number for each word.
        unit: what the numbers are, such as ``logit``.
        total: what ``values`` should add up to.
        separator: what stands between two words: a space, or nothing where tokens are parts of words.
        signed: whether a value speaks for (positive) or against (negative); else a value is only large.
    """

    title: str
    method: str
    words: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    total: float
    separator: str = " "
    signed: bool = True

    @property
    def gap(self) -> float:
        """By how much the values miss what they should add up to, as a share of it."""
        missed = abs(sum(self.values) - self.total)
        return missed / abs(self.total) if self.total else missed

    def strengths(self) -> list[float]:
        """Return each value as a share of the largest, in [-1, 1], for drawing."""
        largest = max((abs(value) for value in self.values), default=0.0)
        return [value / largest if largest else 0.0 for value in self.values]

    def strongest(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the words with the largest values, whatever their sign, the strongest first."""
        pairs = sorted(zip(self.words, self.values, strict=True), key=lambda pair: -abs(pair[1]))
        return pairs[:count]

    def save(self, path: str | Path) -> None:
        """Write the explanation as a self-contained HTML page, whole or not at all.

        Raises:
            RnnlabError: if the disk is full or the folder can't be written.
        """
        write_text(Path(path), PAGE.format(title=as_html(self.title), body=self._repr_html_()))

    def _repr_html_(self) -> str:
        """Return title, coloured words and legend as HTML that needs nothing else, as for a notebook."""
        swatches = "".join(
            f'<span style="background: {css_colour(strength)}; padding: .1em .6em">{as_html(name)}</span> '
            for name, strength in legend(self)
        )
        return (
            f"<h1>{as_html(self.title)}</h1>\n"
            f"{coloured_paragraph(self)}\n"
            f"<p>{swatches}</p>\n"
            f"<p><small>{as_html(self.method)} {as_html(sum_line(self))}</small></p>"
        )


FOR, AGAINST = (27, 120, 200), (214, 96, 20)  # blue and orange: told apart by colour-blind readers too

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
h2 {{ font-size: 1rem; margin: 2rem 0 0; opacity: .7 }}
body {{ font: 1rem/1.9 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def as_html(text: str) -> str:
    """Return a text as HTML shows it, letter by letter."""
    return escape(visible(text, lines=True))


def save_pages(title: str, meaning: str, explanations: Sequence[Explanation], path: str | Path) -> None:
    """Write several explanations as one self-contained HTML page, whole or not at all.

    Args:
        title: what they have in common.
        meaning: what the colours mean.
        explanations: what is shown.
        path: the file.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    sections = "\n".join(f"<h2>{as_html(one.title)}</h2>\n{coloured_paragraph(one)}" for one in explanations)
    content = f"<h1>{as_html(title)}</h1>\n<p>{as_html(meaning)}</p>\n{sections or '<p>There are none.</p>'}"
    write_text(Path(path), PAGE.format(title=as_html(title), body=content))


def coloured_paragraph(explanation: Explanation) -> str:
    """Return the coloured words as an HTML paragraph; each tells its number when pointed at."""
    spans = [
        f'<span style="background: {css_colour(strength)}; border-radius: .2em; padding: .1em 0" '
        f'title="{value:+.4f} {explanation.unit}">{as_html(word)}</span>'
        for word, value, strength in drawn(explanation)
    ]
    return f'<p style="white-space: pre-wrap">{as_html(explanation.separator).join(spans)}</p>'


def terminal_view(explanation: Explanation, *, coloured: bool = True) -> Group:
    """Return title, coloured words and, where colours are seen, their legend for the terminal."""
    words = Text()
    for number, (word, _, strength) in enumerate(drawn(explanation)):
        words.append(explanation.separator if number else "")
        words.append(word, style=terminal_style(strength))
    key = Text()
    for name, strength in legend(explanation):
        key.append(f" {name} ", style=terminal_style(strength))
        key.append(" ")
    strongest = ", ".join(f"{word} {value:+.2f}" for word, value in explanation.strongest())
    return Group(
        Text(explanation.title, style="bold"),
        words,
        *[key] * coloured,
        Text(f"Strongest: {strongest}"),
        Text(sum_line(explanation)),
        Text(explanation.method, style="dim"),
    )


def drawn(explanation: Explanation) -> list[tuple[str, float, float]]:
    """Return each word with its value and its strength in [-1, 1]."""
    words = [visible(word, lines=True) for word in explanation.words]
    return list(zip(words, explanation.values, explanation.strengths(), strict=True))


def legend(explanation: Explanation) -> list[tuple[str, float]]:
    """Return what the colours mean."""
    return [("for", 1.0), ("against", -1.0)] if explanation.signed else [("surprising", 1.0)]


def sum_line(explanation: Explanation) -> str:
    """Return what the numbers add up to, beside what they should."""
    found = f"The numbers add up to {sum(explanation.values):+.4f} {explanation.unit}"
    return f"{found}; the answer's is {explanation.total:+.4f} ({explanation.gap:.2%} apart)."


def css_colour(strength: float) -> str:
    """Return a colour for the sign, the more opaque the stronger."""
    red, green, blue = FOR if strength >= 0 else AGAINST
    return f"rgba({red}, {green}, {blue}, {abs(strength) * 0.7:.3f})"


def terminal_style(strength: float) -> str:
    """Return a background for the sign, fading to none; white letters on it."""
    if abs(strength) < 0.05:
        return ""
    base = FOR if strength >= 0 else AGAINST
    red, green, blue = (round(255 - (255 - part) * abs(strength)) for part in base)
    letters = "white" if abs(strength) > 0.6 else "black"
    return f"{letters} on rgb({red},{green},{blue})"


LETTERS = 700
"""Of an excerpt."""
STRONG, STRONGEST = 0.4, 0.95
"""Strength from which a word is set off: where words speak for and against, and where they only surprise."""


def as_markdown(meaning: str, explanations: Sequence[Explanation]) -> str:
    """Return the texts one after another, each under its title; of a long one the most telling part."""
    if not explanations:
        return "There are none."
    parts = [escaped(meaning)]
    for explanation in explanations:
        part, least = excerpt(explanation, LETTERS), STRONG if explanation.signed else STRONGEST
        words = [
            set_off(word, strength, least) for word, strength in zip(part.words, part.strengths, strict=True)
        ]
        text = escaped(explanation.separator).join(words)
        parts.append(f"#### {escaped(explanation.title)}\n\n{text}")
    return "\n\n".join(parts)


def set_off(word: str, strength: float, least: float) -> str:
    """Return a word, bold where it speaks for (or surprises), italic where it speaks against.

    >>> set_off("good", 0.9, 0.4), set_off("bad", -0.5, 0.4), set_off("the", 0.1, 0.4)
    ('**good**', '*bad*', 'the')
    """
    shown = escaped(word)
    if abs(strength) < least or not word.strip():
        return shown
    return f"**{shown}**" if strength > 0 else f"*{shown}*"


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

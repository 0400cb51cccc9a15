"""An explanation as coloured words: in the terminal, in a notebook, as a page of its own."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from rich.console import Group
from rich.text import Text

from rnnlab.atomic import write_text
from rnnlab.figures.explanation import Explanation
from rnnlab.visible import visible

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


def save_page(explanation: Explanation, path: str | Path) -> None:
    """Write a self-contained HTML page, whole or not at all.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    write_text(Path(path), PAGE.format(title=as_html(explanation.title), body=body(explanation)))


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


def body(explanation: Explanation) -> str:
    """Return title, coloured words and legend as HTML that needs nothing else."""
    swatches = "".join(
        f'<span style="background: {css_colour(strength)}; padding: .1em .6em">{as_html(name)}</span> '
        for name, strength in legend(explanation)
    )
    return (
        f"<h1>{as_html(explanation.title)}</h1>\n"
        f"{coloured_paragraph(explanation)}\n"
        f"<p>{swatches}</p>\n"
        f"<p><small>{as_html(explanation.method)} {as_html(sum_line(explanation))}</small></p>"
    )


def terminal_view(explanation: Explanation) -> Group:
    """Return title, coloured words and legend for the terminal."""
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
        key,
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

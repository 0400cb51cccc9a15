"""Explained texts for TensorBoard's Text tab, which shows no colours: bold and italic words instead."""

from collections.abc import Sequence

from rnnlab.figures.coloured_words import excerpt
from rnnlab.figures.explanation import Explanation
from rnnlab.figures.markdown import escaped

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

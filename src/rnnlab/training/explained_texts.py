"""Explained texts for TensorBoard's Text tab, which shows no colours: bold and italic words instead."""

from collections.abc import Sequence

from rnnlab.figures.coloured_words import excerpt
from rnnlab.figures.explanation import Explanation
from rnnlab.training.markdown import escaped

LETTERS = 700
"""Of an excerpt."""
STRONG = 0.4
"""Strength from which a word is set off."""


def as_markdown(meaning: str, explanations: Sequence[Explanation]) -> str:
    """Return the texts one after another, each under its title; of a long one the most telling part."""
    if not explanations:
        return "There are none."
    parts = [f"{escaped(meaning)} Here bold stands for blue and italic for orange."]
    for explanation in explanations:
        part = excerpt(explanation, LETTERS)
        words = [set_off(word, strength) for word, strength in zip(part.words, part.strengths, strict=True)]
        text = escaped(explanation.separator).join(words)
        parts.append(f"#### {escaped(explanation.title)}\n\n{text}")
    return "\n\n".join(parts)


def set_off(word: str, strength: float) -> str:
    """Return a word, bold where it speaks for and italic where it speaks against.

    >>> set_off("good", 0.9), set_off("bad", -0.5), set_off("the", 0.1)
    ('**good**', '*bad*', 'the')
    """
    shown = escaped(word)
    if abs(strength) < STRONG or not word.strip():
        return shown
    return f"**{shown}**" if strength > 0 else f"*{shown}*"

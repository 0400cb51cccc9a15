"""Whether a tokenizer takes whole lines for words, as one that parts words by spaces does in Chinese."""

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

LONGEST = 15.0
"""Letters of a mean token, from which on it is no word: German and Finnish ones have 8 or 9."""
SHORTEST = 4.0
"""Characters of a line's only token, from which on it may be more than one sign."""
IDEOGRAM = 4
"""Letters that a sign of a script without spaces stands for: a Chinese word has one or two of them."""
ENOUGH = 200  # texts

UNSPACED = re.compile("[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Cut(NamedTuple):
    """How a tokenizer cuts texts, in means.

    Attributes:
        words: tokens of a text.
        characters: of a token.
        letters: of a token, signs that stand for several counted so.
    """

    words: float
    characters: float
    letters: float

    @property
    def is_whole_lines(self) -> bool:
        """Whether its tokens are lines, or clauses, rather than words."""
        return self.letters >= LONGEST or (self.words < 1.5 and self.characters >= SHORTEST)


def letters_of(word: str) -> int:
    """Return how many letters a word has, or its signs stand for.

    >>> letters_of("film"), letters_of("\u7535\u5f71")
    (4, 8)
    """
    return len(word) + (IDEOGRAM - 1) * len(UNSPACED.findall(word))


def cut_of(encode: Callable[[str], list[str]], texts: Iterable[str]) -> Cut:
    """Return how the first texts are cut; all is 0 where there are no tokens."""
    lines = [encode(text) for text in islice(texts, ENOUGH)]
    words = [word for line in lines for word in line]
    sizes = (sum(map(size, words)) / max(len(words), 1) for size in (len, letters_of))
    return Cut(len(words) / max(len(lines), 1), *sizes)


def advice(name: str, cut: Cut) -> str:
    """Return what to say of a tokenizer that takes whole lines for words; nothing of another.

    >>> print(advice("basic_english", Cut(1.0, 20.3, 81.2)))
    1 word a line: try tokenizer=char. basic_english takes 20 characters in a row for a word.
    """
    if not cut.is_whole_lines:
        return ""
    count = f"{cut.words:.1f}".removesuffix(".0")
    return (
        f"{count} word{'s' * (count != '1')} a line: try tokenizer=char. {name} takes {cut.characters:.0f} "
        "characters in a row for a word."
    )

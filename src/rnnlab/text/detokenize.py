"""Put spaces and punctuation back between word-level tokens, as a person would write them."""

import re
from collections.abc import Iterable, Sequence

from rnnlab.text.vocabulary import EOS

_NO_SPACE_BEFORE = frozenset([".", ",", "!", "?", ";", ":", "%", ")", "]", "}", "''", "...", "…", "”"])
_NO_SPACE_AFTER = frozenset(["(", "[", "{", "``", "$", "£", "€", "#", "“"])
_CONTRACTION = re.compile(r"n't|'(s|m|d|re|ve|ll|t)", re.IGNORECASE)
_CONTRACTED = frozenset(["s", "m", "d", "re", "ve", "ll", "t"])
_BEFORE_APOSTROPHE = frozenset(["o", "d", "l", "y", "ma"])
_INNER = re.compile(r"@(.)@")


def detokenize(tokens: Iterable[str]) -> str:
    """Join word-level tokens to readable text.

    No space goes before closing punctuation or after opening; ``"`` and ``'`` alternate between opening and
    closing; an apostrophe joins what it contracts (``don ' t``, ``do n't``, ``it 's``); a decimal point or
    comma joins its digits (basic_english splits them off); WikiText's ``@-@``, ``@,@`` and ``@.@`` join
    their neighbours; ``<eos>`` starts a new line.

    A further token only adds to the text (unless the last one was ``'``, whose side it decides), so that
    text can be shown as it grows.

    >>> detokenize("it isn ' t good , but ( for N @-@ year olds ) it 's ok .".split())
    "it isn't good, but (for N-year olds) it's ok."
    """
    lines: list[list[str]] = [[]]
    for token in tokens:
        if token == EOS:
            lines.append([])
        else:
            lines[-1].append(token)
    return "\n".join(_line(line) for line in lines)


def _line(tokens: Sequence[str]) -> str:
    text = ""
    quoted = {'"': False, "'": False}
    space = False
    for position, token in enumerate(tokens):
        before = tokens[position - 1] if position else ""
        after = tokens[position + 1] if position + 1 < len(tokens) else ""
        space_after = token not in _NO_SPACE_AFTER
        if inner := _INNER.fullmatch(token):
            token, space, space_after = inner[1], False, False
        elif token == "'" and _is_apostrophe(before, after, quoted["'"]):
            space, space_after = False, not _joins(before, after)
        elif token in quoted:
            space, space_after = space and not quoted[token], quoted[token]
            quoted[token] = not quoted[token]
        elif token in (".", ",") and before.isdigit() and after.isdigit():
            space, space_after = False, False
        elif token in _NO_SPACE_BEFORE or _CONTRACTION.fullmatch(token):
            space = False
        text += f" {token}" if space else token
        space = space_after
    return text


def _is_apostrophe(before: str, after: str, quote_is_open: bool) -> bool:
    """Return whether a single ``'`` belongs to the word before it rather than to a quotation."""
    if not before[-1:].isalnum():
        return False
    return _joins(before, after) or not after or (before.endswith("s") and not quote_is_open)


def _joins(before: str, after: str) -> bool:
    """Return whether an apostrophe stands inside one word: ``don ' t``, ``o ' clock``."""
    return after.lower() in _CONTRACTED or (before.lower() in _BEFORE_APOSTROPHE and after[:1].isalpha())

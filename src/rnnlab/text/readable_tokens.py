"""Tokens one by one, as a person reads them."""

from collections.abc import Sequence

from rnnlab.text.tokenizers import BytePairs, Bytes, Characters, Tokenizer
from rnnlab.text.vocabulary import SPECIALS


def separator(tokenizer: Tokenizer) -> str:
    """Return what stands between two tokens when they are shown one by one."""
    return "" if isinstance(tokenizer, (BytePairs, Bytes, Characters)) else " "


def readable(tokenizer: Tokenizer, tokens: Sequence[str]) -> tuple[str, ...]:
    r"""Return each token as a person reads it: a byte pair without its spelling of spaces.

    A byte that is no character by itself is written as ``\xc3``. The two symbols keep their names;
    :meth:`Tokenizer.decode` makes a new line of ``<eos>``.
    """
    if isinstance(tokenizer, BytePairs):
        return tuple(token if token in SPECIALS else tokenizer.decode([token]) for token in tokens)
    if isinstance(tokenizer, Bytes):
        return tuple(token if token.isascii() else f"\\x{ord(token):02x}" for token in tokens)
    return tuple(tokens)

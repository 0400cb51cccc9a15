"""Tokens one by one, as a person reads them."""

from collections.abc import Sequence

from rnnlab.text.tokenizers import BytePairs, Characters, Tokenizer


def separator(tokenizer: Tokenizer) -> str:
    """Return what stands between two tokens when they are shown one by one."""
    return "" if isinstance(tokenizer, (BytePairs, Characters)) else " "


def readable(tokenizer: Tokenizer, tokens: Sequence[str]) -> tuple[str, ...]:
    """Return each token as a person reads it: a byte pair without its spelling of spaces."""
    if isinstance(tokenizer, BytePairs):
        return tuple(tokenizer.decode([token]) for token in tokens)
    return tuple(tokens)

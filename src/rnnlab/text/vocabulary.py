"""Tokens to ids and back. Two symbols have fixed ids; there is none for padding (lengths say what counts)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.errors import DataError

UNK = "<unk>"
EOS = "<eos>"
UNK_ID = 0
EOS_ID = 1
SPECIALS = (UNK, EOS)

Ids = npt.NDArray[np.int32]


class NoTokensError(DataError):
    """A text of which no token would be in the vocabulary."""


class Vocabulary:
    """Tokens in the order of their ids: ``<unk>`` is 0, ``<eos>`` is 1, the others follow.

    A token that is spelled ``<unk>`` or ``<eos>`` in a text is that symbol.

    Args:
        tokens: all tokens in the order of their ids, the two symbols first.
        closed: whether a token that is not among them is an error (True) or becomes ``<unk>`` (False).

    Raises:
        DataError: if there is no token but the symbols.
        ValueError: if the symbols do not come first, or a token is there twice.
    """

    def __init__(self, tokens: Iterable[str], closed: bool = False) -> None:
        self._tokens = tuple(tokens)
        self._ids = _Ids(zip(self._tokens, range(len(self._tokens)), strict=True))
        self.closed = closed
        if self._tokens[: len(SPECIALS)] != SPECIALS:
            raise ValueError(f"tokens must begin with {SPECIALS}, not {self._tokens[: len(SPECIALS)]}")
        if len(self._ids) != len(self._tokens):
            raise ValueError("tokens must be distinct")
        if len(self._tokens) == len(SPECIALS):
            raise NoTokensError(
                "The vocabulary has nothing but <unk> and <eos>: no token of the text is in it. "
                "Give it text, lower min_frequency, or raise max_size (it counts the two symbols)."
            )

    @classmethod
    def build(
        cls,
        counts: Mapping[str, int],
        *,
        max_size: int | None = None,
        min_frequency: int = 1,
        closed: bool = False,
    ) -> "Vocabulary":
        """Keep the most frequent tokens of ``counts``, equally frequent ones in alphabetical order.

        Args:
            counts: how often each token occurs.
            max_size: the most entries, both symbols included; None for no limit.
            min_frequency: the fewest occurrences of a token that is kept.
            closed: see the class.

        Raises:
            DataError: if no token is kept.
        """
        kept = [token for token, n in counts.items() if n >= min_frequency and token not in SPECIALS]
        kept.sort(key=lambda token: (-counts[token], token))
        if max_size is not None:
            del kept[max(0, max_size - len(SPECIALS)) :]
        return cls((*SPECIALS, *kept), closed=closed)

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens in the order of their ids."""
        return self._tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self._tokens == other._tokens and self.closed == other.closed

    __hash__ = None  # type: ignore[assignment]

    def id_of(self, token: str) -> int:
        """Return the id of ``token``; that of ``<unk>`` if it has none, closed or not."""
        return self._ids[token]

    def encode(self, tokens: Sequence[str]) -> Ids:
        """Return the ids of ``tokens``, shape (tokens,), int32.

        Raises:
            DataError: if the vocabulary is closed and lacks one of them.
        """
        ids = np.fromiter(map(self._ids.__getitem__, tokens), dtype=np.int32, count=len(tokens))
        if self.closed and (missing := self.missing(tokens)):
            raise DataError(
                f"{missing[0]!r} is not in the vocabulary, which is closed: it has no unknown words."
            )
        return ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ``ids``.

        Raises:
            ValueError: if an id is not in [0, length).
        """
        numbers = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.int64).tolist()
        if numbers and not (min(numbers) >= 0 and max(numbers) < len(self)):
            raise ValueError(f"ids must be in [0, {len(self)}), not in [{min(numbers)}, {max(numbers)}]")
        return [self._tokens[number] for number in numbers]

    def missing(self, tokens: Iterable[str]) -> list[str]:
        """Return those of ``tokens`` that the vocabulary lacks, each once, in their order."""
        return [token for token in dict.fromkeys(tokens) if token not in self._ids]

    def to_dict(self) -> dict[str, Any]:
        """Return the vocabulary as plain data, for :meth:`from_dict`."""
        return {"tokens": list(self._tokens), "closed": self.closed}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Vocabulary":
        """Return the vocabulary that :meth:`to_dict` described."""
        return cls(plain["tokens"], closed=plain["closed"])


class _Ids(dict[str, int]):
    """Ids by token. A known one is found without a call of Python, which is what makes encode fast."""

    def __missing__(self, token: str) -> int:
        return UNK_ID

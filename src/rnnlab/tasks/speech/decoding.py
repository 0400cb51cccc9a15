"""From probabilities at each step to a text: the best path, or the best text over all its paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating[npt.NBitBase]]


@dataclass(frozen=True)
class Spelling:
    """How ids become a text.

    Attributes:
        symbols: by id; the blank's id is behind them.
        separator: what stands between two of them.
    """

    symbols: tuple[str, ...]
    separator: str = ""

    @property
    def blank(self) -> int:
        """The id of the blank."""
        return len(self.symbols)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of ids, with single spaces between its words."""
        return " ".join(self.separator.join(self.symbols[number] for number in ids).split())


def greedy(log_probabilities: Reals, blank: int) -> list[int]:
    """Return the ids of the most probable path: equal neighbours merged, then blanks removed.

    Args:
        log_probabilities: ``(time, symbols + 1)``.
        blank: its id.
    """
    path = log_probabilities.argmax(axis=1).tolist()
    return [number for number, _ in groupby(path) if number != blank]

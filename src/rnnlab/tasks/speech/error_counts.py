"""What a transcript and what was meant have in common: substitutions, insertions and deletions, counted."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Edits(NamedTuple):
    """The fewest edits that turn what was meant into what was told.

    Attributes:
        substitutions: something told in place of something else.
        insertions: something told that was not meant.
        deletions: something meant that was not told.
        meant: how much was meant.
        pairs: what stands opposite what, ``(meant, told)`` in their order; None where there is nothing.
    """

    substitutions: int
    insertions: int
    deletions: int
    meant: int
    pairs: Sequence[tuple[Any, Any]]

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.insertions + self.deletions


def edits(meant: Sequence[Any], told: Sequence[Any]) -> Edits:
    """Return the fewest edits (Levenshtein 1966); of equally few, those with the most substitutions.

    >>> edits("a b c".split(), "a x c d".split())[:4]
    (1, 1, 0, 3)
    """
    costs = _costs(meant, told)
    row, column, pairs = len(meant), len(told), list[tuple[Any, Any]]()
    while row or column:
        here = costs[row][column]
        if row and column and here == costs[row - 1][column - 1] + (meant[row - 1] != told[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((meant[row], told[column]))
        elif row and here == costs[row - 1][column] + 1:
            row -= 1
            pairs.append((meant[row], None))
        else:
            column -= 1
            pairs.append((None, told[column]))
    pairs.reverse()
    inserted = sum(before is None for before, _ in pairs)
    deleted = sum(after is None for _, after in pairs)
    replaced = sum(before != after for before, after in pairs) - inserted - deleted
    return Edits(replaced, inserted, deleted, len(meant), pairs)


def _costs(meant: Sequence[Any], told: Sequence[Any]) -> list[list[int]]:
    """Return the fewest edits between every two beginnings, ``[len(meant) + 1][len(told) + 1]``."""
    costs = [list(range(len(told) + 1))]
    for number, wanted in enumerate(meant, start=1):
        before, row = costs[-1], [number]
        for column, given in enumerate(told):
            row.append(min(before[column] + (wanted != given), before[column + 1] + 1, row[column] + 1))
        costs.append(row)
    return costs


def bootstrap_interval(
    errors: npt.ArrayLike, meant: npt.ArrayLike, *, share: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return an interval of an error rate, from recordings drawn again with replacement (Efron 1979).

    Args:
        errors: of each recording ``(recordings,)``.
        meant: words of each ``(recordings,)``.
        share: that the interval holds.
        draws: how often all are drawn anew.
        seed: of the draws.
    """
    chance = np.random.default_rng(seed)
    wrong, of = np.asarray(errors, dtype=np.float64), np.asarray(meant, dtype=np.float64)
    chosen = chance.integers(0, len(wrong), (draws, len(wrong)))
    rates = wrong[chosen].sum(axis=1) / of[chosen].sum(axis=1)
    low, high = np.quantile(rates, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)

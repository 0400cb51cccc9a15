"""How much work a contestant gets, so that a turn is long enough to time and the whole ends in time."""

from collections.abc import Mapping
from typing import NamedTuple

FEWEST, MOST = 6, 32
"""Batches in a turn: fewer don't show the distribution of lengths, more are not needed for it."""


class Pace(NamedTuple):
    """The work of one turn.

    Attributes:
        batches: how many, the same ones for everyone.
        sweeps: how many times each contestant goes over them; a slow one's turn is long enough with one.
    """

    batches: int
    sweeps: dict[str, int]


def pace(rates: Mapping[str, float], tokens_per_batch: float, seconds: float) -> Pace:
    """Plan turns of about ``seconds``.

    Args:
        rates: tokens per second of each contestant, training and inference together.
        tokens_per_batch: real tokens in a batch, on average.
        seconds: for one turn.
    """
    affordable = {name: seconds * rate / tokens_per_batch for name, rate in rates.items()}
    batches = int(min(MOST, max(FEWEST, min(affordable.values()))))
    return Pace(batches, {name: max(1, round(count / batches)) for name, count in affordable.items()})

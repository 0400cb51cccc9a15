"""How much work a contestant gets, so that a turn is long enough to time and the whole ends in time."""

from collections.abc import Mapping
from typing import NamedTuple

FEWEST, MOST = 2, 32
"""Batches in a turn."""

PATIENCE = 6.0
"""By how much the slowest contestant's turn may be longer than the others', for the sake of more batches."""

ALL_TURNS = 9.0
"""In how many ordinary turns' time a slow contestant has to have all of its own, or one at the least."""

TO_THE_PERCENT = ("trainer", "bare")
"""These two are compared to the percent: they have the same work, and always all turns."""


class Pace(NamedTuple):
    """The work of each contestant.

    Attributes:
        batches: how many, the same ones for everyone.
        sweeps: how many times a turn goes over them.
        turns: how many there are; long ones are fewer, as each is an average by itself.
    """

    batches: int
    sweeps: dict[str, int]
    turns: dict[str, int]


def pace(
    seconds_per_batch: Mapping[str, float], turn_seconds: float, repeats: int, batches: int | None = None
) -> Pace:
    """Plan turns of about ``turn_seconds``.

    Args:
        seconds_per_batch: of each contestant, training and inference together.
        turn_seconds: how long a turn should be. A contestant that is too slow for it has longer ones.
        repeats: turns of each contestant, but for the slow ones.
        batches: if given, so many, once in each turn of everyone, however long it takes.
    """
    if batches is not None:
        return Pace(batches, dict.fromkeys(seconds_per_batch, 1), dict.fromkeys(seconds_per_batch, repeats))
    longest = PATIENCE * turn_seconds
    batches = int(min(MOST, max(FEWEST, longest / max(seconds_per_batch.values()))))
    once = {name: batches * seconds for name, seconds in seconds_per_batch.items()}
    sweeps = {name: max(1, round(turn_seconds / seconds)) for name, seconds in once.items()}
    together = [name for name in TO_THE_PERCENT if name in sweeps]
    sweeps.update(dict.fromkeys(together, min((sweeps[name] for name in together), default=1)))
    fitting = {name: max(1, int(ALL_TURNS * turn_seconds / seconds)) for name, seconds in once.items()}
    turns = {name: min(repeats, count) for name, count in fitting.items()}
    return Pace(batches, sweeps, {**turns, **dict.fromkeys(together, repeats)})

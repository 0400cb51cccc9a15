"""Contestants that take turns, so that whatever else the machine does meets all of them alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

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


@dataclass(frozen=True)
class Pass:
    """One walk over some documents.

    Attributes:
        seconds: how long it took.
        tokens: real tokens that it covered; padding is never counted.
    """

    seconds: float
    tokens: int

    @property
    def rate(self) -> float:
        """Real tokens per second."""
        return self.tokens / self.seconds


@dataclass(frozen=True)
class Turn:
    """What a contestant did when it was its turn.

    Attributes:
        training: the walk with weight updates.
        inference: the walk without; ``None`` where that was not asked for.
        loss: mean training loss in nats.
        accuracy: share of right answers while training; ``None`` where nobody counted.
        peak_memory: see :mod:`rnnlab.benchmarks.child_process`; ``None`` where the system does not tell.
    """

    training: Pass
    inference: Pass | None
    loss: float
    accuracy: float | None = None
    peak_memory: int | None = None


def take_turns(
    contestants: Mapping[str, Callable[[], Turn]], repeats: Mapping[str, int]
) -> dict[str, list[Turn]]:
    """Let every contestant have its number of turns, round by round; who begins a round changes.

    Returns:
        Each contestant's turns; the one at index i was had in round i.
    """
    names = list(contestants)
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    for number in range(max(repeats.values())):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            if number < repeats[name]:
                turns[name].append(contestants[name]())
    return turns


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return median, lowest, highest and all of ``values``, as JSON has it.

    >>> summary([3.0, 1.0, 2.0])
    {'median': 2.0, 'lowest': 1.0, 'highest': 3.0, 'values': [3.0, 1.0, 2.0]}
    """
    return {"median": median(values), "lowest": min(values), "highest": max(values), "values": list(values)}


def paired(upper: Sequence[float], lower: Sequence[float]) -> dict[str, Any]:
    """Return the :func:`summary` of the ratios ``upper / lower``, each of two turns of one round.

    Rounds that only one of the two took part in are left out.
    """
    return summary([above / below for above, below in zip(upper, lower, strict=False)])

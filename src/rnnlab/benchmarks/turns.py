"""Contestants that take turns, so that whatever else the machine does meets all of them alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


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
        peak_memory: see :mod:`rnnlab.benchmarks.memory`; ``None`` where the system does not tell.
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

"""Contestants that take turns, so that whatever else the machine does meets all of them alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from rnnlab.benchmarks.settings import Settings

FEWEST, MOST = 2, 32
"""Batches in a turn."""

PATIENCE = 6.0
"""By how much the slowest contestant's turn may be longer than the others', for the sake of more batches."""

ALL_TURNS = 9.0
"""In how many ordinary turns' time a slow contestant has to have all of its own, or one at the least."""

T = TypeVar("T")

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


class Work(Protocol):
    """Batches, the same ones for every contestant."""

    def __len__(self) -> int:
        """Return how many there are, each as often as it is gone over."""
        ...


Batches = TypeVar("Batches", bound=Work)

TRIED = 2
"""Batches by which a contestant shows how fast it is."""


def race(
    turns: Mapping[str, Callable[[Batches], Turn]], first: Callable[[int, int], Batches], settings: Settings
) -> tuple[Batches, dict[str, list[Turn]]]:
    """Warm every contestant up, see how long it takes for a few batches, plan, and let them take turns.

    Args:
        turns: of each contestant.
        first: returns so many batches, gone over so many times; fewer where there are no more.
        settings: of the benchmark.

    Returns:
        The batches of a turn, and each contestant's turns.
    """
    tried, seconds = first(TRIED, 1), {}
    for name, turn in turns.items():
        turn(tried)  # the first turn pays for compilation, libraries' starts and optimizer state
        had = turn(tried)
        passes = [stage.seconds for stage in (had.training, had.inference) if stage is not None]
        seconds[name] = sum(passes) / len(tried)
    due = pace(seconds, settings.turn_seconds, settings.repeats, settings.batches_per_turn)
    batches = first(due.batches, min(due.sweeps.values()))
    return batches, take_turns({name: partial(turn, batches) for name, turn in turns.items()}, due.turns)


STAGES = ("training", "inference")


def rates_of(turns: Sequence[Turn], stage: str = "training") -> list[float]:
    """Return the real tokens a second of each turn's stage; none where it was not asked for."""
    passes = [getattr(turn, stage) for turn in turns]
    return [had.rate for had in passes if had is not None]


def figures(turns: Sequence[Turn], unit: str = "tokens_per_second") -> dict[str, Any]:
    """Return a contestant's rates in each stage, under ``unit``, its peak of memory and its last loss."""
    stages = {stage: rates_of(turns, stage) for stage in STAGES}
    peaks = [turn.peak_memory for turn in turns if turn.peak_memory is not None]
    return {
        **{stage: {unit: summary(rates)} for stage, rates in stages.items() if rates},
        "peak_memory_bytes": max(peaks, default=None),
        "last_loss": turns[-1].loss,
    }


def compared(turns: Mapping[str, Sequence[Turn]]) -> dict[str, dict[str, Any]]:
    """Return how many times as fast as each of the others the Trainer is, by stage, round by round."""
    others = {name: had for name, had in turns.items() if name != "trainer"}
    if "trainer" not in turns or not others:
        return {}
    ours = {stage: rates_of(turns["trainer"], stage) for stage in STAGES}
    return {
        stage: {
            name: paired(rates, theirs) for name, had in others.items() if (theirs := rates_of(had, stage))
        }
        for stage, rates in ours.items()
    }


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


class Repeated(Generic[T]):
    """The first batches of a loader, the same ones for every contestant.

    Args:
        batches: what it yielded first.
        tokens_in: a batch's steps that count.
        sweeps: how many times one iteration goes over them.
    """

    def __init__(self, batches: Sequence[T], tokens_in: Callable[[T], int], sweeps: int = 1) -> None:
        self.batches, self.sweeps = list(batches), sweeps
        self.tokens = sweeps * sum(map(tokens_in, self.batches))

    def __len__(self) -> int:
        """Return the number of batches in an iteration."""
        return self.sweeps * len(self.batches)

    def __iter__(self) -> Iterator[T]:
        """Yield the batches."""
        for _ in range(self.sweeps):
            yield from self.batches

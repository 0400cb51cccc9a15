"""One loader under all data: it needs no worker process, and goes on in mid-epoch.

What is in which batch of which epoch is decided by a plan, made from seeds alone, so that every process, and
a run that goes on after an interruption, sees the same one. The place in it is written down and found again
here.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from rnnlab.errors import ConfigError

Planned = TypeVar("Planned")
Given = TypeVar("Given")

POSITIONS = ("position", "next_window", "next_batch")
"""What the place in an epoch is called in checkpoints; the latter two in those of earlier versions."""


class ResumableLoader(ABC, Generic[Planned, Given]):
    """Iterates over the batches of an epoch; its place in it is part of a checkpoint.

    Lightning sets the epoch of ``sampler`` before each pass, and saves and restores a training loader that
    has ``state_dict`` and ``load_state_dict``: a run that goes on does so with the very next batch. Outside
    Lightning call ``set_epoch`` before each pass. Each ``iter`` reads the epoch from its first batch, or once
    from where ``load_state_dict`` put it.
    """

    batch_sampler: None = None  # Lightning asks for it wherever there is a sampler

    def __init__(self) -> None:
        self._epoch, self._position, self._start = 0, 0, 0

    @abstractmethod
    def __len__(self) -> int:
        """Return how many batches this process gets in an epoch, the same in each."""

    @abstractmethod
    def plan(self, epoch: int) -> Sequence[Planned]:
        """Return what makes each of this process's batches of ``epoch``, in their order."""

    @abstractmethod
    def batch(self, planned: Planned) -> Given:
        """Return a batch."""

    @property
    def fingerprint(self) -> str:
        """Digest of all that the plan depends on but the epoch; empty where nobody can change it."""
        return ""

    @property
    def sampler(self) -> "ResumableLoader[Planned, Given]":
        """Itself: Lightning calls ``set_epoch`` on a loader's sampler."""
        return self

    @property
    def epoch(self) -> int:
        """The epoch that an iteration yields."""
        return self._epoch

    def __iter__(self) -> Iterator[Given]:
        """Yield the batches of the current epoch; right after ``load_state_dict`` those left of it.

        The epoch is looked at when the first batch is asked for: Lightning makes the iterator before it calls
        ``set_epoch``.
        """
        plan = self.plan(self._epoch)
        start, self._start = self._start, 0
        for position in range(start, len(plan)):
            self._position = position + 1
            yield self.batch(plan[position])

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to iterate over; another one than before starts at its first batch."""
        if epoch != self._epoch:
            self._epoch, self._position, self._start = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the epoch, the same in every process, as plain data."""
        return {"epoch": self._epoch, "position": self._position, "plan": self.fingerprint}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at a place that ``state_dict`` returned.

        Raises:
            ConfigError: if that was in mid-epoch, and batches or processes are no longer the same.
        """
        epoch = int(state["epoch"])
        position = next(int(state[name]) for name in POSITIONS if name in state)
        is_new = state.get("plan", self.fingerprint) != self.fingerprint
        if is_new and 0 < position < len(self):
            raise ConfigError(
                f"The checkpoint was saved after batch {position} of epoch {epoch}, and the batches are no "
                "longer the same: data, batch size, seed or processes changed. "
                "Go on with the run's own configuration, or from a checkpoint at the end of an epoch."
            )
        self._epoch, self._position = epoch, position
        self._start = 0 if is_new else position


class FirstBatches(ResumableLoader[Any, Any]):
    """The first ``count`` batches of a loader's first epoch, again and again."""

    def __init__(self, loader: Iterable[Any], count: int) -> None:
        super().__init__()
        self.batches = list(islice(loader, count))

    def __len__(self) -> int:
        return len(self.batches)

    def plan(self, epoch: int) -> Sequence[Any]:
        """Return the batches."""
        return self.batches

    def batch(self, planned: Any) -> Any:
        """Return the batch."""
        return planned

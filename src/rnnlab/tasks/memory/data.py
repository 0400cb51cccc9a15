"""A memory problem as batches: new sequences in every training step, fixed ones to score on."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnlab.tasks.memory.baselines import memory_baselines
from rnnlab.corpora.memory_problems import MemoryProblem, Sequences
from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError
from rnnlab.text.encoded import Progress

STREAMS = {"train": 0, "validation": 1, "test": 2}
"""What each split's random numbers begin with, so that none shares a sequence with another by design."""


class MemoryBatch(NamedTuple):
    """Right-padded sequences with their answers.

    Attributes:
        inputs: ``(batch, time, input_size)`` float32, zero in the padding.
        lengths: ``(batch,)`` int64, steps of each sequence.
        answers: ``(batch, answers)`` for the last so many steps: int64 class ids, or float32 numbers.
        counted: ``(batch,)`` bool; False for a sequence that only fills a distributed step.
    """

    inputs: Tensor
    lengths: Tensor
    answers: Tensor
    counted: Tensor


class MemoryData(TaskData):
    """Sequences of a memory problem.

    Args:
        corpus: the problem.
        seed: all that the sequences depend on.
        overfit: if given, train on this many batches only, the same in every epoch.
        batch_size: sequences of a batch, on each process.
        train: sequences of an epoch, made anew in each; over all processes.
        validation: sequences of the validation split, always the same.
        test: sequences of the test split, always the same.

    Raises:
        ConfigError: if a number is below 1, or the data is no memory problem.
    """

    def __init__(
        self,
        *,
        corpus: MemoryProblem,
        seed: int,
        overfit: int | None = None,
        batch_size: int = 64,
        train: int = 6400,
        validation: int = 1000,
        test: int = 1000,
    ) -> None:
        super().__init__(seed=seed, overfit=overfit)
        if not isinstance(corpus, MemoryProblem):
            raise ConfigError(
                f"data={getattr(corpus, 'name', type(corpus).__name__)} is no memory problem: task=memory "
                "makes its own sequences, with data=adding, data=copy or data=first_token."
            )
        self.problem = corpus
        self.batch_size = batch_size
        self.sizes = {"train": train, "validation": validation, "test": test}
        for name, value in {"batch_size": batch_size, **self.sizes}.items():
            if value < 1:
                raise ConfigError(f"batches.{name}={value}: expected at least 1.")

    def encode(self, progress: Progress | None = None) -> None:
        """Do nothing: sequences are made when they are asked for."""

    def describe(self) -> str:
        """Return the problem, its distance and the number of sequences."""
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.sizes.items())
        return (
            f"{self.problem.name}, distance {self.problem.distance}: {sizes} sequences, made from the seed."
        )

    def passport(self) -> dict[str, Any]:
        """Return the facts; there are no words and no names of classes."""
        return {"facts": self.facts(), "labels": []}

    def facts(self) -> dict[str, Any]:
        """Return the size of a step's vector, how many answers there are, and of how many classes."""
        return {
            "input_size": self.problem.input_size,
            "answers": self.problem.answers,
            "classes": self.problem.classes,
        }

    def train_loader(self) -> "MemoryLoader":
        """Return the training batches."""
        return self.loader("train", fresh=True)

    def val_dataloader(self) -> "MemoryLoader":
        """Return the validation batches."""
        return self.loader("validation", fresh=False)

    def test_dataloader(self) -> "MemoryLoader":
        """Return the test batches."""
        return self.loader("test", fresh=False)

    def loader(self, split: str, *, fresh: bool) -> "MemoryLoader":
        """Return the batches of a split, this process's share of them."""
        rank, processes = self.rank_and_size()
        return MemoryLoader(
            self.problem,
            sequences=self.sizes[split],
            batch_size=self.batch_size,
            seed=(self.seed, STREAMS[split]),
            fresh=fresh,
            rank=rank,
            processes=processes,
        )

    def probe_batch(self, sequences: int) -> MemoryBatch:
        """Return the first sequences of the validation split."""
        first = next(iter(self.loader("validation", fresh=False)))
        count = min(sequences, len(first.lengths))
        longest = int(first.lengths[:count].max())
        return MemoryBatch(
            first.inputs[:count, :longest],
            first.lengths[:count],
            first.answers[:count],
            first.counted[:count],
        )

    def transfer_batch_to_device(
        self, batch: MemoryBatch, device: torch.device, dataloader_idx: int
    ) -> MemoryBatch:
        """Move a batch, all but its lengths: on the CPU they can be read without waiting for the device."""
        return MemoryBatch(
            batch.inputs.to(device), batch.lengths, batch.answers.to(device), batch.counted.to(device)
        )

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return what answering without looking reaches on the test split."""
        return memory_baselines(self.problem, self.test_sequences())

    def test_sequences(self) -> Iterator[Sequences]:
        """Yield the test split."""
        for batch in self.test_dataloader():
            yield Sequences(batch.inputs.numpy(), batch.lengths.numpy(), batch.answers.numpy())


class MemoryLoader:
    """Makes the batches of a split one after another; its place in an epoch is part of a checkpoint.

    Batch ``i`` of epoch ``e`` follows from ``(seed, e, i)`` alone. With several processes a batch is made for
    all of them, and each takes every so many-th sequence.

    Args:
        problem: makes the sequences.
        sequences: how many an epoch has.
        batch_size: sequences of a batch, on each process.
        seed: of the split.
        fresh: whether each epoch has sequences of its own; otherwise all have the same.
        rank: the number of this process, from 0.
        processes: how many there are.
    """

    batch_sampler: None = None  # Lightning asks for it wherever there is a sampler

    def __init__(
        self,
        problem: MemoryProblem,
        *,
        sequences: int,
        batch_size: int,
        seed: tuple[int, ...],
        fresh: bool,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.problem = problem
        self.sequences = sequences
        self.step = batch_size * processes
        self.seed = seed
        self.fresh = fresh
        self.rank, self.processes = rank, processes
        self._epoch, self._next, self._resumed = 0, 0, False

    @property
    def sampler(self) -> "MemoryLoader":
        """Itself: Lightning calls ``set_epoch`` on a loader's sampler."""
        return self

    def __len__(self) -> int:
        """Return how many batches an epoch has."""
        return -(-self.sequences // self.step)

    def set_epoch(self, epoch: int) -> None:
        """Go to the first batch of ``epoch``, unless that is the one being read."""
        if epoch != self._epoch:
            self._epoch, self._next, self._resumed = epoch, 0, False

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the batch to be made next."""
        return {"epoch": self._epoch, "next_batch": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with the batch that ``state`` names."""
        self._epoch, self._next, self._resumed = state["epoch"], state["next_batch"], True

    def __iter__(self) -> Iterator[MemoryBatch]:
        # The epoch is looked at when the first batch is asked for: Lightning makes the iterator before it
        # calls set_epoch.
        first = self._next if self._resumed else 0
        self._resumed = False
        for index in range(first, len(self)):
            self._next = index + 1
            yield self.batch(index)

    def batch(self, index: int) -> MemoryBatch:
        """Return this process's share of batch ``index`` of the current epoch."""
        epoch = self._epoch if self.fresh else 0
        chance = np.random.default_rng([*self.seed, epoch, index])
        count = min(self.step, self.sequences - index * self.step)
        made = self.problem.sequences(count, chance)
        mine = np.arange(self.rank, count, self.processes)
        counted = np.ones(max(1, len(mine)), dtype=np.bool_)
        if not len(mine):  # the last batch has not enough for all
            mine, counted[:] = np.array([0]), False
        longest = int(made.lengths[mine].max())
        return MemoryBatch(
            torch.from_numpy(made.inputs[mine, :longest]),
            torch.from_numpy(made.lengths[mine]),
            torch.from_numpy(made.answers[mine]),
            torch.from_numpy(counted),
        )

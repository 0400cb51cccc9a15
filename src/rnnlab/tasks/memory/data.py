"""A memory problem as batches: new sequences in every training step, fixed ones to score on."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rnnlab.corpora.corpus import Corpus
from rnnlab.corpora.memory_problems import CORRECT_WITHIN, MemoryProblem, Sequences
from rnnlab.data.batch import Batch
from rnnlab.data.loader import ResumableLoader
from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError

STREAMS = {"train": 0, "validation": 1, "test": 2}
"""What each split's random numbers begin with, so that none shares a sequence with another by design."""


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

    corpora = (MemoryProblem, Corpus)  # of which the latter is refused with a reason

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
        super().__init__(corpus=corpus, seed=seed, overfit=overfit)
        if not isinstance(corpus, MemoryProblem):
            raise ConfigError(
                f"data={getattr(corpus, 'name', type(corpus).__name__)} is no memory problem: task=memory "
                "makes its own sequences, with data=adding, data=copy, data=first_token or data=parity."
            )
        self.problem = corpus
        self.batch_size = batch_size
        self.sizes = {"train": train, "validation": validation, "test": test}
        for name, value in {"batch_size": batch_size, **self.sizes}.items():
            if value < 1:
                raise ConfigError(f"batches.{name}={value}: expected at least 1.")

    def describe(self) -> str:
        """Return the problem, its distance and the number of sequences."""
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.sizes.items())
        return (
            f"{self.problem.name}, distance {self.problem.distance}: {sizes} sequences, made from the seed."
        )

    def model_arguments(self) -> dict[str, Any]:
        """Return the size of a step's vector, how many answers there are, and of how many classes."""
        return {
            "input_size": self.problem.input_size,
            "answers": self.problem.answers,
            "classes": self.problem.classes,
        }

    def size_of(self, split: str) -> int:
        """Return how many sequences a split has."""
        return self.sizes[split]

    def loader(self, split: str) -> "MemoryLoader":
        """Return the batches of a split, this process's share of them."""
        rank, processes = self.rank_and_size()
        tested = getattr(self.problem, "test_sequences", None) if split == "test" else None
        return MemoryLoader(
            self.problem,
            drawn=tested,
            sequences=self.sizes[split],
            batch_size=self.batch_size,
            seed=(self.seed, STREAMS[split]),
            fresh=split == "train",
            rank=rank,
            processes=processes,
        )

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return accuracy and loss of guessing a class, or of always answering with the answers' mean."""
        classes = self.problem.classes
        if classes is not None:
            return {"guessing": {"accuracy": 1 / classes, "loss": math.log(classes)}}
        parts = [batch.targets.numpy().ravel() for batch in self.test_dataloader()]
        answers = np.concatenate(parts).astype(np.float64)
        errors = answers - answers.mean()
        accuracy, loss = (np.abs(errors) < CORRECT_WITHIN).mean(), (errors**2).mean()
        return {"always the mean": {"accuracy": float(accuracy), "loss": float(loss)}}


class MemoryLoader(ResumableLoader[tuple[int, int], Batch]):
    """Makes the batches of a split one after another.

    Batch ``i`` of epoch ``e`` follows from ``(seed, e, i)`` alone. With several processes a batch is made for
    all of them, and each takes every so many-th sequence. A batch's inputs are ``(batch, time, input_size)``
    float32, its targets ``(batch, answers)`` for the last so many steps: int64 class ids, or float32 numbers.

    Args:
        problem: makes the sequences.
        sequences: how many an epoch has.
        batch_size: sequences of a batch, on each process.
        seed: of the split.
        fresh: whether each epoch has sequences of its own; otherwise all have the same.
        rank: the number of this process, from 0.
        processes: how many there are.
        drawn: makes so many sequences from a random generator; None for the problem's own way.
    """

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
        drawn: Callable[[int, np.random.Generator], Sequences] | None = None,
    ) -> None:
        super().__init__()
        self.problem, self.drawn = problem, drawn or problem.sequences
        self.sequences = sequences
        self.step = batch_size * processes
        self.seed = seed
        self.fresh = fresh
        self.rank, self.processes = rank, processes

    @property
    def fingerprint(self) -> str:
        """What decides the sequences, in words."""
        return (
            f"{self.sequences} sequences of {self.problem.name}, {self.step} at a time, by seed {self.seed}"
        )

    def __len__(self) -> int:
        return -(-self.sequences // self.step)

    def plan(self, epoch: int) -> list[tuple[int, int]]:
        """Return for each batch the epoch that it is drawn for, and its number."""
        return [(epoch if self.fresh else 0, number) for number in range(len(self))]

    def batch(self, planned: tuple[int, int]) -> Batch:
        """Return this process's share of a batch."""
        chance = np.random.default_rng([*self.seed, *planned])
        count = min(self.step, self.sequences - planned[1] * self.step)
        made = self.drawn(count, chance)
        mine = np.arange(self.rank, count, self.processes)
        valid = np.ones(max(1, len(mine)), dtype=np.bool_)
        if not len(mine):  # the last batch has not enough for all
            mine, valid[:] = np.array([0]), False
        longest = int(made.lengths[mine].max())
        return Batch(
            torch.from_numpy(made.inputs[mine, :longest]),
            torch.from_numpy(made.lengths[mine]),
            torch.from_numpy(made.answers[mine]),
            torch.from_numpy(valid),
        )

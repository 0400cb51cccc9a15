"""Batches of documents of similar length: little padding, and yet another order every epoch.

The documents are shuffled and cut into pools; each pool is sorted by length and cut into batches; the
batches are shuffled. Everything follows from ``(seed, epoch)``, so that every process, and a run that goes
on after an interruption, sees the same plan::

    shuffle    7 2 9 4 1 8 3 6        lengths of the documents
    pools      7 2 9 4 | 1 8 3 6
    sort       9 7 4 2 | 8 6 3 1
    batches    (9 7) (4 2) (8 6) (3 1)
    shuffle    (4 2) (8 6) (9 7) (3 1)
"""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.data.loader import Given, ResumableLoader
from rnnlab.errors import ConfigError, DataError

SMALLEST_POOL = 8
"""Batches in the smallest pool that is tried."""

Documents = npt.NDArray[np.int64]


class PlannedBatch(NamedTuple):
    """The documents of one batch.

    Attributes:
        documents: ``(batch,)`` their numbers in the split.
        valid: ``(batch,)`` False for one that another batch holds already and that is here only because
            every process needs as many steps as the others.
    """

    documents: Documents
    valid: npt.NDArray[np.bool_]


class BucketedBatches:
    """Which documents come together in which batch of which epoch: those of similar length.

    Every document is in exactly one batch of one process in every epoch, and every epoch and process has the
    same number of batches. Processes that make a step together get batches of similar length.

    Args:
        lengths: ``(documents,)`` tokens of each document, after truncation, each at least 1.
        batch_size: documents in a batch at most (of one process); None where ``max_tokens`` alone decides.
        max_tokens: tokens in a batch at most, padding included; a longer document is a batch of its own.
        shuffle: False takes one pool in order of length, longest first, the same every epoch: for evaluation.
        seed: together with the epoch's number, all that the order depends on.
        rank: the number of this process, from 0.
        processes: how many there are.
        max_padding: the share of padding, from 0 to below 1, that is borne for the sake of shuffling: pools
            are as small as it allows. One pool is the most, so a larger share is possible where lengths vary
            widely; a ``max_tokens`` pads less there.

    Raises:
        ConfigError: if neither or an impossible limit is given.
        DataError: if there is no document.
    """

    def __init__(
        self,
        lengths: npt.ArrayLike,
        batch_size: int | None = 128,
        max_tokens: int | None = None,
        *,
        shuffle: bool = True,
        seed: int = 1,
        rank: int = 0,
        processes: int = 1,
        max_padding: float = 0.02,
    ) -> None:
        self._lengths = np.asarray(lengths, dtype=np.int64)
        _check_lengths(self._lengths)
        if batch_size is None and max_tokens is None:
            raise ConfigError("batches.batch_size and batches.max_tokens are both null; set at least one.")
        for name, value in (("batch_size", batch_size), ("max_tokens", max_tokens)):
            if value is not None and value < 1:
                raise ConfigError(f"batches.{name} is {value}; expected at least 1.")
        if not 0 <= max_padding < 1:
            raise ValueError(f"max_padding is {max_padding}; expected a share from 0 to below 1.")
        if not 0 <= rank < processes:
            raise ValueError(
                f"rank is {rank}; expected 0 to {processes - 1}, as there are {processes} processes."
            )
        self._batch_size, self._max_tokens = batch_size, max_tokens
        self._shuffle, self._seed, self._rank, self._processes = shuffle, seed, rank, processes
        self._pool_documents = self._documents_in_a_pool(max_padding)
        self._total = self._batches_in_an_epoch()

    def __len__(self) -> int:
        """Return how many batches this process gets in an epoch."""
        return self._total // self._processes

    def batches(self, epoch: int) -> list[PlannedBatch]:
        """Return this process's batches of ``epoch``."""
        return [step[self._rank] for step in self._steps(epoch)]

    @property
    def fingerprint(self) -> str:
        """Digest of the limits, the seed, the number of processes and all lengths."""
        settings = [self._batch_size, self._max_tokens, self._shuffle, self._seed, self._processes]
        digest = hashlib.sha256(repr([*settings, self._pool_documents]).encode())
        digest.update(self._lengths.tobytes())
        return digest.hexdigest()[:16]

    def padding_share(self, epoch: int = 0) -> float:
        """Return which share of the positions in this process's batches of ``epoch`` holds no token."""
        return padding_share([batch.documents for batch in self.batches(epoch)], self._lengths)

    def _steps(self, epoch: int) -> list[list[PlannedBatch]]:
        """Return, for each step of ``epoch``, one batch for each process."""
        pool = self._pool_documents
        if not self._shuffle:
            return self._dealt(self._cut_in_pools(np.arange(len(self._lengths)), pool))
        random = np.random.default_rng([self._seed, epoch])
        order = random.permutation(len(self._lengths))
        batches = self._cut_in_pools(order, pool)
        while len(batches) > self._total:  # larger pools waste less; one pool needs no more than the total
            pool *= 2
            batches = self._cut_in_pools(order, pool)
        steps = self._dealt(batches)
        return [steps[i] for i in random.permutation(len(steps))]

    def _dealt(self, batches: list[Documents]) -> list[list[PlannedBatch]]:
        """Bring ``batches`` to the epoch's number and group neighbours, one for each process."""
        divided = batches if self._max_tokens is None else _divided(batches, self._total)
        planned = [PlannedBatch(batch, np.ones(len(batch), dtype=np.bool_)) for batch in divided]
        filler = PlannedBatch(divided[0][:1], np.zeros(1, dtype=np.bool_))
        planned += [filler] * (self._total - len(planned))
        return [planned[i : i + self._processes] for i in range(0, self._total, self._processes)]

    def _cut_in_pools(self, order: Documents, pool: int) -> list[Documents]:
        pools = (order[i : i + pool] for i in range(0, len(order), pool))
        return [batch for documents in pools for batch in self._cut(_longest_first(documents, self._lengths))]

    def _cut(self, documents: Documents) -> list[Documents]:
        """Cut documents, longest first, into batches within both limits."""
        if self._max_tokens is None:
            return self._cut_by_number(documents)
        batches, start = [], 0
        while start < len(documents):
            count = max(1, self._max_tokens // int(self._lengths[documents[start]]))
            if self._batch_size is not None:
                count = min(count, self._batch_size)
            batches.append(documents[start : start + count])
            start += count
        return batches

    def _cut_by_number(self, documents: Documents) -> list[Documents]:
        """Cut documents into steps, as one process would cut its larger batches, and share them."""
        assert self._batch_size is not None
        in_a_step = self._batch_size * self._processes
        steps = (documents[start : start + in_a_step] for start in range(0, len(documents), in_a_step))
        return [part for step in steps for part in np.array_split(step, self._processes) if len(part)]

    def _documents_in_a_pool(self, max_padding: float) -> int:
        """Return the size of the smallest pools, in doubling steps, that pad no more than ``max_padding``."""
        documents = len(self._lengths)
        if not self._shuffle:
            return documents
        order = np.random.default_rng([self._seed, 0]).permutation(documents)
        in_a_batch = documents // len(self._cut_in_pools(order, documents))
        if self._max_tokens is None and self._batch_size is not None:
            in_a_batch = self._batch_size  # so that only the last pool has a batch that isn't full
        pool = SMALLEST_POOL * max(1, in_a_batch) * self._processes
        while (
            pool < documents and padding_share(self._cut_in_pools(order, pool), self._lengths) > max_padding
        ):
            pool *= 2
        return min(pool, documents)

    def _batches_in_an_epoch(self) -> int:
        """Return a number that every epoch can be cut into, a multiple of the number of processes."""
        fewest = len(self._cut_in_pools(np.arange(len(self._lengths)), len(self._lengths)))
        if self._max_tokens is not None:
            fewest += math.ceil(len(self._lengths) / self._pool_documents) - 1  # each pool's last is not full
        return math.ceil(fewest / self._processes) * self._processes


def padding_share(batches: Sequence[Documents], lengths: npt.ArrayLike) -> float:
    """Return the share of positions that hold no token when each batch is padded to its longest document.

    Args:
        batches: the documents of each.
        lengths: ``(documents,)`` tokens of each document.
    """
    counts = np.asarray(lengths)
    positions = sum(len(batch) * int(counts[batch].max()) for batch in batches)
    return 1 - sum(int(counts[batch].sum()) for batch in batches) / positions


def _divided(batches: list[Documents], total: int) -> list[Documents]:
    """Halve the largest batches until there are ``total``, or as many as there are documents."""
    divided = list(batches)
    while len(divided) < total:
        largest = max(range(len(divided)), key=lambda i: len(divided[i]))
        batch = divided[largest]
        if len(batch) == 1:
            break
        middle = len(batch) // 2
        divided[largest : largest + 1] = [batch[:middle], batch[middle:]]
    return divided


def _longest_first(documents: Documents, lengths: npt.NDArray[np.int64]) -> Documents:
    return documents[np.argsort(-lengths[documents], kind="stable")]


def _check_lengths(lengths: npt.NDArray[np.int64]) -> None:
    if lengths.ndim != 1:
        raise ValueError(f"lengths has shape {lengths.shape}; expected (documents,).")
    if len(lengths) == 0:
        raise DataError("There is no document to make a batch of.")
    if lengths.min() < 1:
        at = int(lengths.argmin())
        raise ValueError(f"lengths[{at}] is {lengths[at]}; expected at least 1.")


class BucketedLoader(ResumableLoader[PlannedBatch, Given]):
    """Batches of similar length, of whatever a subclass makes its batches of.

    Args:
        batches: which of them come together, and when.
    """

    def __init__(self, batches: BucketedBatches) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def fingerprint(self) -> str:
        """Digest of the plan."""
        return self.batches.fingerprint

    def plan(self, epoch: int) -> list[PlannedBatch]:
        """Return the numbers of what is in each batch."""
        return self.batches.batches(epoch)


def spread_over(count: int, most: int) -> npt.NDArray[np.int64]:
    """Return at most ``most`` of the numbers below ``count``, evenly spread from the first to the last.

    >>> spread_over(5, 3).tolist(), spread_over(2, 3).tolist()
    ([0, 2, 4], [0, 1])
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))

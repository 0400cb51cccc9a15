"""Documents, or sequences of vectors, as padded batches.

Those of documents are gathered from flat arrays of ids as they are asked for.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.data.batch import Batch
from rnnlab.data.bucketing import BucketedBatches, BucketedLoader, PlannedBatch
from rnnlab.errors import ConfigError, nearest
from rnnlab.text.encoded import EncodedSplit


class SequenceLoader(BucketedLoader[Batch]):
    """Iterates over sequences, batch by batch as planned, padding each to its longest with zeros.

    Args:
        sequences: each ``(time, size)`` float32, at least one step long.
        targets: ``(sequences, …)`` what is to be told of each: whole numbers for classes, else float32.
        batches: which of them come together, and when.
    """

    def __init__(
        self,
        sequences: Sequence[npt.NDArray[np.float32]],
        targets: npt.NDArray[np.int64] | npt.NDArray[np.float32],
        batches: BucketedBatches,
    ) -> None:
        super().__init__(batches)
        self.sequences, self.targets = sequences, targets

    def batch(self, planned: PlannedBatch) -> Batch:
        """Return some sequences as a batch."""
        chosen = [self.sequences[number] for number in planned.documents]
        lengths = [len(sequence) for sequence in chosen]
        inputs = np.zeros((len(chosen), max(lengths), chosen[0].shape[1]), dtype=np.float32)
        for row, sequence in zip(inputs, chosen, strict=True):
            row[: len(sequence)] = sequence
        return Batch(
            torch.from_numpy(inputs),
            torch.tensor(lengths),
            torch.from_numpy(self.targets[planned.documents]),
            torch.from_numpy(planned.valid),
        )


Truncate = Literal["head", "tail", "head_tail"]
"""What is kept of a document that is too long: its first tokens, its last, or half of each."""


def check_truncation(max_length: int | None, truncate: str) -> None:
    """Check the two keys that say how much of a document is kept.

    Raises:
        ConfigError: if one is unknown or out of range.
    """
    if truncate not in get_args(Truncate):
        raise ConfigError(
            f"batches.truncate={truncate} is unknown. {nearest(str(truncate), get_args(Truncate))}"
        )
    if max_length is not None and (type(max_length) is not int or max_length < 1):
        raise ConfigError(
            f"batches.max_length is {max_length}; expected at least 1, or null for whole documents."
        )


def truncated_lengths(split: EncodedSplit, max_length: int | None) -> npt.NDArray[np.int64]:
    """Return how many tokens of each document are kept, ``(documents,)``."""
    lengths = np.diff(split.offsets)
    return lengths if max_length is None else np.minimum(lengths, max_length)


def collate(
    split: EncodedSplit,
    documents: npt.NDArray[np.int64] | Sequence[int],
    *,
    max_length: int | None = None,
    truncate: Truncate = "head",
    valid: npt.NDArray[np.bool_] | None = None,
) -> Batch:
    """Gather documents from flat arrays into one padded batch.

    Args:
        split: where they are.
        documents: ``(batch,)`` their numbers.
        max_length: tokens kept of each at most; None keeps all.
        truncate: which tokens are kept of a longer one. "head_tail" keeps the first half of ``max_length``
            (rounded up) and the last.
        valid: ``(batch,)``; None counts all.

    Returns:
        Ids ``(batch, time)`` with the documents' lengths and, as targets, their classes.
    """
    numbers = np.asarray(documents, dtype=np.int64)
    starts = split.offsets[numbers]
    whole = split.offsets[numbers + 1] - starts
    lengths = whole if max_length is None else np.minimum(whole, max_length)
    steps = np.arange(int(lengths.max()))
    cut = (whole - lengths)[:, None]
    if truncate == "head":
        places = starts[:, None] + steps
    elif truncate == "tail":
        places = starts[:, None] + cut + steps
    else:
        kept_head = (lengths[:, None] + 1) // 2
        places = starts[:, None] + steps + cut * (steps >= kept_head)
    tokens = np.take(split.tokens, places, mode="clip").astype(np.int64)
    tokens *= steps < lengths[:, None]
    counts = np.ones(len(numbers), dtype=np.bool_) if valid is None else valid
    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(lengths.astype(np.int64)),
        torch.from_numpy(np.asarray(split.labels[numbers], dtype=np.int64)),
        torch.from_numpy(counts),
    )


class DocumentLoader(BucketedLoader[Batch]):
    """Iterates over a split, batch by batch as planned, padding each to its longest document.

    Args:
        split: the documents.
        batches: which of them come together, and when.
        max_length: tokens kept of a document at most; None keeps all.
        truncate: which tokens are kept: "head", "tail" or "head_tail".
        pin_memory: whether batches lie in page-locked memory, for faster copies to a CUDA device.

    Raises:
        ConfigError: if ``truncate`` is unknown or ``max_length`` below 1.
    """

    def __init__(
        self,
        split: EncodedSplit,
        batches: BucketedBatches,
        *,
        max_length: int | None = None,
        truncate: Truncate = "head",
        pin_memory: bool = False,
    ) -> None:
        super().__init__(batches)
        check_truncation(max_length, truncate)
        self._split = split
        self._max_length, self._truncate, self._pin_memory = max_length, truncate, pin_memory

    def batch(self, planned: PlannedBatch) -> Batch:
        """Return some documents as a batch."""
        batch = collate(
            self._split,
            planned.documents,
            max_length=self._max_length,
            truncate=self._truncate,
            valid=planned.valid,
        )
        return Batch(*(part.pin_memory() for part in batch)) if self._pin_memory else batch

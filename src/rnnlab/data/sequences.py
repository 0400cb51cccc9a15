"""Sequences of vectors that are held in memory, as padded batches."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.data.batch import Batch
from rnnlab.data.bucketing import BucketedBatches, BucketedLoader, PlannedBatch


class SequenceLoader(BucketedLoader):
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

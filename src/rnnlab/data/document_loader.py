"""A loader of document batches that needs no worker process and can go on in mid-epoch."""

from collections.abc import Iterator
from typing import Any

from rnnlab.data.bucketing import BucketedBatches
from rnnlab.data.documents import DocumentBatch, FlatDocuments, Truncate, check_truncation, collate


class DocumentLoader:
    """Iterates over a split, batch by batch as planned, padding each to its longest document.

    Lightning sets the epoch of ``batch_sampler.sampler`` before each pass, and saves and restores a training
    loader that has ``state_dict`` and ``load_state_dict``: a resumed run goes on with the very next batch.
    Outside Lightning call ``set_epoch`` before each pass.

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
        split: FlatDocuments,
        batches: BucketedBatches,
        *,
        max_length: int | None = None,
        truncate: Truncate = "head",
        pin_memory: bool = False,
    ) -> None:
        check_truncation(max_length, truncate)
        self.batch_sampler = batches
        self._split = split
        self._max_length, self._truncate, self._pin_memory = max_length, truncate, pin_memory

    def __len__(self) -> int:
        """Return the number of batches in an epoch, the same in each."""
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[DocumentBatch]:
        """Yield the batches of the current epoch, or after ``load_state_dict`` those that are left of it."""
        for documents, counted in self.batch_sampler:
            batch = collate(
                self._split, documents, max_length=self._max_length, truncate=self._truncate, counted=counted
            )
            yield DocumentBatch(*(part.pin_memory() for part in batch)) if self._pin_memory else batch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to iterate over."""
        self.batch_sampler.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the epoch as plain data."""
        return self.batch_sampler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at a place that ``state_dict`` returned.

        Raises:
            ConfigError: if that was in mid-epoch, and batches or processes are no longer the same.
        """
        self.batch_sampler.load_state_dict(state)

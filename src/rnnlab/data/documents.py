"""From flat arrays of ids to padded batches."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.errors import ConfigError, nearest

Truncate = Literal["head", "tail", "head_tail"]
"""What is kept of a document that is too long: its first tokens, its last, or half of each."""


class DocumentBatch(NamedTuple):
    """A right-padded batch of documents.

    Attributes:
        tokens: ids ``(batch, time)`` int64; padded positions hold 0 and must influence nothing.
        lengths: ``(batch,)`` int64, tokens of each document, at least 1.
        labels: ``(batch,)`` int64, -1 where there is none.
        counted: ``(batch,)`` bool; False for a repeated document that only fills a distributed step and is
            left out of losses and metrics.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    counted: Tensor

    def to(self, device: torch.device) -> "DocumentBatch":
        """Return the batch on ``device``, itself if it is there: Lightning need not look at its parts."""
        if self.tokens.device == device:
            return self
        return DocumentBatch(*(part.to(device, non_blocking=True) for part in self))


class FlatDocuments(Protocol):
    """Documents end to end, such as a split of an encoded corpus."""

    @property
    def tokens(self) -> npt.NDArray[np.int32]:
        """``(total,)`` ids."""
        ...

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """``(documents + 1,)``: document ``i`` is ``tokens[offsets[i] : offsets[i + 1]]``."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """``(documents,)``, -1 where there is none."""
        ...


def check_truncation(max_length: int | None, truncate: str) -> None:
    """Check the two keys that say how much of a document is kept.

    Raises:
        ConfigError: if one is unknown or out of range.
    """
    if truncate not in get_args(Truncate):
        raise ConfigError(
            f"batches.truncate={truncate} is unknown. {nearest(str(truncate), get_args(Truncate))}"
        )
    if max_length is not None and max_length < 1:
        raise ConfigError(
            f"batches.max_length is {max_length}; expected at least 1, or null for whole documents."
        )


def truncated_lengths(split: FlatDocuments, max_length: int | None) -> npt.NDArray[np.int64]:
    """Return how many tokens of each document are kept, ``(documents,)``."""
    lengths = np.diff(split.offsets)
    return lengths if max_length is None else np.minimum(lengths, max_length)


def collate(
    split: FlatDocuments,
    documents: npt.NDArray[np.int64] | Sequence[int],
    *,
    max_length: int | None = None,
    truncate: Truncate = "head",
    counted: npt.NDArray[np.bool_] | None = None,
) -> DocumentBatch:
    """Gather documents from flat arrays into one padded batch.

    Args:
        split: where they are.
        documents: ``(batch,)`` their numbers.
        max_length: tokens kept of each at most; None keeps all.
        truncate: which tokens are kept of a longer one. "head_tail" keeps the first half of ``max_length``
            (rounded up) and the last.
        counted: ``(batch,)``; None counts all.
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
    is_counted = np.ones(len(numbers), dtype=np.bool_) if counted is None else counted
    return DocumentBatch(
        torch.from_numpy(tokens),
        torch.from_numpy(lengths.astype(np.int64)),
        torch.from_numpy(np.asarray(split.labels[numbers], dtype=np.int64)),
        torch.from_numpy(is_counted),
    )

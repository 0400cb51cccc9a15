"""What a batch is, whatever the task: inputs, how long each is, what is to be told of it, and what counts."""

from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

AnyBatch = TypeVar("AnyBatch", bound=Any)


class Batch(NamedTuple):
    """Right-padded sequences with what is to be told of them.

    A batch with more to say, as :class:`rnnlab.data.streams.StreamBatch`, is a NamedTuple of its own that
    begins with these four, of which ``lengths`` may be None where every sequence fills the time axis, and
    ``valid`` where all counts.

    Attributes:
        inputs: ids ``(batch, time)`` int64, or vectors ``(batch, time, size)`` float32; zero in the padding,
            which must influence nothing.
        lengths: ``(batch,)`` int64, steps of each sequence, at least 1. They stay on the CPU, where they can
            be read without waiting for the device.
        targets: what is to be told: a class ``(batch,)``, several classes or numbers ``(batch, targets)``, or
            something at each step ``(batch, time)``. -1 where a class is not known.
        valid: False for what only fills the batch and is left out of losses and metrics, such as a sequence
            that is here because every process needs as many steps as the others: bool ``(batch,)``, or
            ``(batch, time)`` where each step is told something.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    valid: Tensor

    def to(self, device: torch.device, **options: Any) -> "Batch":
        """Return the batch on ``device``, itself if it is there: Lightning need not look at its parts."""
        return moved(self, device)


def moved(batch: AnyBatch, device: torch.device) -> AnyBatch:
    """Return a NamedTuple whose tensors are on ``device``, all but its lengths (``…lengths``)."""
    if batch.inputs.device == device:
        return batch
    parts = {
        name: part.to(device, non_blocking=True)
        for name, part in batch._asdict().items()
        if isinstance(part, Tensor) and not name.endswith("lengths")
    }
    there: AnyBatch = batch._replace(**parts)
    return there


def beside(numbers: Tensor, tensor: Tensor) -> Tensor:
    """Return a few numbers, such as lengths, on the device of ``tensor``.

    From the CPU they go without waiting: a plain copy would first wait for all that a GPU was given to do.
    """
    return numbers.to(tensor.device, non_blocking=tensor.device.type != "cpu")


def first_of(batch: Batch, count: int) -> Batch:
    """Return the first ``count`` sequences of a batch, without steps that are padding in all of them."""
    inputs, lengths, targets, valid = (part[:count] for part in batch)
    return Batch(inputs[:, : int(lengths.max())], lengths, targets, valid)

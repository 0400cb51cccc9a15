"""Truncated backpropagation through time over whole documents.

A document of thousands of tokens is read to its end, but gradients flow through its last ``bptt`` tokens
only; before them the encoder reads without keeping anything, and its state goes on. What was read there still
counts in the pooling. This is the memory saving of Howard and Ruder 2018 (section 3.3, "BPTT for text
classification"), with the border at the same distance from the end of each document of a batch::

    short   a b c                     lengths 3 and 7, bptt = 4
    long    k l m | n o p q           no gradient in front of the bar

The long and the short documents of a batch are read apart, so that no kind of state has to be taken to
pieces: an encoder of any kind can be read so, if it reads forwards only.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rnnlab.cells.cell import State
from rnnlab.data.batch import beside
from rnnlab.encoder.encoder import Encoder
from rnnlab.errors import ConfigError


class ReadDocuments(NamedTuple):
    """Some documents of a batch, read.

    Attributes:
        numbers: ``(documents,)`` which of the batch they are; None for all of it.
        outputs: ``(documents, time, size)`` of the encoder, zero in the padding.
        lengths: ``(documents,)`` tokens of each, on the device of the batch's.
        state: the encoder's, after each document's last token.
    """

    numbers: Tensor | None
    outputs: Tensor
    lengths: Tensor
    state: State


def read_documents(
    encoder: Encoder, vectors: Tensor, lengths: Tensor, bptt: int | None
) -> list[ReadDocuments]:
    """Read a batch of right-padded documents in one part, or the short and the long ones in two.

    Args:
        encoder: reads forwards only, where ``bptt`` is given.
        vectors: ``(batch, time, input)`` of the words.
        lengths: ``(batch,)``, each at least 1.
        bptt: the last tokens of each document, through which gradients flow; None for all of them.
    """
    is_long = None if bptt is None else lengths > bptt
    if bptt is None or is_long is None or not bool(is_long.any()):
        outputs, state = encoder(vectors, lengths)
        return [ReadDocuments(None, outputs, lengths, state)]
    if bool(is_long.all()):
        return [_read_long(encoder, vectors, lengths, None, bptt)]
    short, long = ((~is_long).nonzero().squeeze(1), is_long.nonzero().squeeze(1))
    on_device = beside(short, vectors)
    outputs, state = encoder(vectors[on_device, : int(lengths[short].max())], lengths[short])
    parts = [ReadDocuments(short, outputs, lengths[short], state)]
    long_vectors = vectors[beside(long, vectors)]
    return [*parts, _read_long(encoder, long_vectors, lengths[long], long, bptt)]


def check_bptt(bptt: int | None, is_bidirectional: bool) -> None:
    """Check that an encoder can read documents so.

    Raises:
        ConfigError: if ``bptt`` is below 1, or the encoder must see the end first.
    """
    if bptt is not None and bptt < 1:
        raise ConfigError(f"task.bptt={bptt}: expected at least 1, or null for whole documents.")
    if bptt is not None and is_bidirectional:
        raise ConfigError(
            "task.bptt reads the beginning of a document before its end; a bidirectional encoder can't. "
            "Set model.bidirectional=false or task.bptt=null."
        )


def in_batch_order(values: list[Tensor], parts: list[ReadDocuments]) -> Tensor:
    """Return ``(batch, …)``: what each part of a batch gave, ``(documents, …)``, in the batch's order."""
    if parts[0].numbers is None:
        return values[0]
    numbers = torch.cat([part.numbers for part in parts if part.numbers is not None])
    return torch.cat(values)[beside(torch.argsort(numbers), values[0])]


def _read_long(
    encoder: Encoder, vectors: Tensor, lengths: Tensor, numbers: Tensor | None, bptt: int
) -> ReadDocuments:
    """Read documents that are all longer than ``bptt``."""
    before = lengths - bptt  # tokens in front of the border
    longest = int(before.max())
    with torch.no_grad():
        head, state = encoder(vectors[:, :longest], before)
    steps = torch.arange(bptt, device=vectors.device)
    places = (beside(before, vectors).unsqueeze(1) + steps).unsqueeze(2)  # (documents, bptt, 1)
    last = vectors.gather(1, places.expand(-1, -1, vectors.shape[2]))  # (documents, bptt, input)
    tail, state = encoder(last, None, state)  # (documents, bptt, size)
    whole = torch.cat((head.to(tail.dtype), torch.zeros_like(tail)), dim=1)
    outputs = whole.scatter(1, places.expand_as(tail), tail)
    return ReadDocuments(numbers, outputs, lengths, state)

"""Pooling: one vector for a sequence out of its outputs, with the padding left out exactly.

A pooling is a module ``(outputs (batch, time, size), lengths (batch,) or None) -> (batch, output_size)``
listed in ``POOLINGS``; to add one, write its class here and list it.
"""

from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from rnnlab.errors import ConfigError, nearest
from rnnlab.models.padding import RaggedRows
from rnnlab.models.reductions import max_over_time, mean_over_time


class Pooled(Protocol):
    """What a pooling asks of the encoder below it."""

    output_size: int
    is_bidirectional: bool


class Pooling(nn.Module):
    """Base of the poolings.

    Args:
        size: features of an output.
        is_bidirectional: whether the second half of them was read from the sequence's end.
    """

    copies: ClassVar[int] = 1
    """How many times ``size`` the pooled vector is long."""

    def __init__(self, size: int, is_bidirectional: bool) -> None:
        super().__init__()
        self.is_bidirectional = is_bidirectional
        self.output_size = self.copies * size

    def forward(self, outputs: Tensor, lengths: Tensor | None = None, state: object = None) -> Tensor:
        """Pool ``outputs`` ``(batch, time, size)`` into ``(batch, output_size)``.

        Args:
            outputs: padded positions may hold anything finite.
            lengths: ``(batch,)``, or None where every sequence fills the time axis.
            state: the encoder's final state; no pooling here needs it.
        """
        batch, time, _ = outputs.shape
        if lengths is None:
            lengths = torch.full((batch,), time)
        return self.pooled(outputs, RaggedRows(lengths, time, outputs.device))

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        raise NotImplementedError


class LastPooling(Pooling):
    """The output where each direction has read it all: forwards at the last token, backwards at the first."""

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        return _last(outputs, rows, self.is_bidirectional)


class MeanPooling(Pooling):
    """The mean over a sequence's tokens."""

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        return mean_over_time(outputs, rows)


class MaxPooling(Pooling):
    """The maximum of each feature over a sequence's tokens."""

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        return max_over_time(outputs, rows)


class MeanMaxPooling(Pooling):
    """Mean and maximum side by side."""

    copies = 2

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        return torch.cat((mean_over_time(outputs, rows), max_over_time(outputs, rows)), dim=1)


class LastMeanMaxPooling(Pooling):
    """Last, mean and maximum side by side: the concat pooling of Howard and Ruder 2018 (ULMFiT)."""

    copies = 3

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        last = _last(outputs, rows, self.is_bidirectional)
        return torch.cat((last, mean_over_time(outputs, rows), max_over_time(outputs, rows)), dim=1)


class AttentionPooling(Pooling):
    """A learnt weighted mean: ``sum_t a_t h_t`` with ``a = softmax_t(v . tanh(W h_t + b))``.

    Yang et al. 2016, hierarchical attention networks, equations 5 to 7.
    """

    def __init__(self, size: int, is_bidirectional: bool) -> None:
        super().__init__(size, is_bidirectional)
        self.projection = nn.Linear(size, size)
        self.context = nn.Linear(size, 1, bias=False)

    def weights(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the weight of every position ``(batch, time)``: zero in the padding, one in sum."""
        scores = self.context(torch.tanh(self.projection(outputs.transpose(0, 1)))).squeeze(2)
        is_padding = torch.arange(outputs.shape[1], device=outputs.device).unsqueeze(1) >= lengths
        return torch.softmax(scores.masked_fill(is_padding, -torch.inf), dim=0).transpose(0, 1)

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        return torch.bmm(self.weights(outputs, rows.lengths).unsqueeze(1), outputs).squeeze(1)


POOLINGS: dict[str, type[Pooling]] = {
    "last": LastPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "mean_max": MeanMaxPooling,
    "last_mean_max": LastMeanMaxPooling,
    "attention": AttentionPooling,
}


def build_pooling(name: str, encoder: Pooled) -> Pooling:
    """Return the pooling called ``name`` for the outputs of ``encoder``.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in POOLINGS:
        raise ConfigError(f"task.pooling={name} is unknown. {nearest(str(name), POOLINGS)}")
    return POOLINGS[name](encoder.output_size, encoder.is_bidirectional)


def _last(outputs: Tensor, rows: RaggedRows, is_bidirectional: bool) -> Tensor:
    at_end = outputs[torch.arange(rows.batch, device=outputs.device), rows.lengths - 1]
    if not is_bidirectional:
        return at_end
    half = outputs.shape[2] // 2
    return torch.cat((at_end[:, :half], outputs[:, 0, half:]), dim=1)

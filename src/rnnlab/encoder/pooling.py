"""Pooling: one vector for a sequence out of its outputs, with the padding left out exactly.

A pooling is a module ``(outputs (batch, time, size), lengths (batch,) or None) -> (batch, output_size)``
listed in ``POOLINGS``; to add one, write its class here and list it.

PyTorch's own mean and maximum would do, behind a mask; but for small networks mask, maximum and the
gradients' several passes over the whole batch take a third of the time of the network itself. Those below
take one copy forward and one write backward.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from rnnlab.encoder.encoder import Encoder
from rnnlab.encoder.padding import RaggedRows
from rnnlab.errors import ConfigError, nearest


class Pooling(nn.Module, ABC):
    """Base of the poolings.

    Args:
        size: features of an output.
        is_bidirectional: whether the second half of them was read from the sequence's end.
    """

    copies: ClassVar[int] = 1
    """How many times ``size`` the pooled vector is long."""
    moments: ClassVar[tuple[str, ...]] = ()
    """What stands in it side by side, of last, mean, max and attention: an export writes these anew."""

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

    @abstractmethod
    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""


class Moments(Pooling):
    """Last, mean and maximum, those of them that ``moments`` names, side by side."""

    def pooled(self, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Pool ``outputs``, of which ``rows`` says where the tokens are."""
        parts = [self.moment(name, outputs, rows) for name in self.moments]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def moment(self, name: str, outputs: Tensor, rows: RaggedRows) -> Tensor:
        """Return one of them ``(batch, size)``."""
        if name == "last":
            return _last(outputs, rows, self.is_bidirectional)
        return cast(Tensor, (_MeanOverTime if name == "mean" else _MaxOverTime).apply(outputs, rows))


class LastPooling(Moments):
    """The output where each direction has read it all: forwards at the last token, backwards at the first."""

    moments = ("last",)


class MeanPooling(Moments):
    """The mean over a sequence's tokens."""

    moments = ("mean",)


class MaxPooling(Moments):
    """The maximum of each feature over a sequence's tokens."""

    moments = ("max",)


class MeanMaxPooling(Moments):
    """Mean and maximum side by side."""

    copies = 2
    moments = ("mean", "max")


class LastMeanMaxPooling(Moments):
    """Last, mean and maximum side by side: the concat pooling of Howard and Ruder 2018 (ULMFiT)."""

    copies = 3
    moments = ("last", "mean", "max")


class AttentionPooling(Pooling):
    """A learnt weighted mean: ``sum_t a_t h_t`` with ``a = softmax_t(v . tanh(W h_t + b))``.

    Yang et al. 2016, hierarchical attention networks, equations 5 to 7.
    """

    moments = ("attention",)

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


def build_pooling(name: str, encoder: Encoder) -> Pooling:
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


class _MeanOverTime(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Tensor, rows: RaggedRows) -> Tensor:
        ctx.rows = rows
        return _with_padding(outputs, rows, 0).sum(dim=0) / rows.lengths.unsqueeze(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        rows = ctx.rows
        shares = gradients[0] / rows.lengths.unsqueeze(1)
        slope = shares.expand(rows.time, *shares.shape).clone(memory_format=torch.contiguous_format)
        rows.fill_padding(slope, 0)
        return slope.transpose(0, 1), None


class _MaxOverTime(torch.autograd.Function):
    """The gradient of a maximum goes to the token that attained it, the first of equals."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, rows: RaggedRows) -> Tensor:
        time_major = _with_padding(outputs, rows, -torch.inf)
        highest, at = _max_and_argmax(time_major)
        ctx.save_for_backward(at)
        ctx.time = rows.time
        return highest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (at,) = ctx.saved_tensors
        slope = gradients[0].new_zeros(ctx.time, *at.shape)
        return slope.scatter(0, at.unsqueeze(0), gradients[0].unsqueeze(0)).transpose(0, 1), None


def _with_padding(outputs: Tensor, rows: RaggedRows, value: float) -> Tensor:
    """Return a copy ``(time, batch, size)`` of ``outputs`` that holds ``value`` in the padding."""
    copy = outputs.transpose(0, 1).clone(memory_format=torch.contiguous_format)
    rows.fill_padding(copy, value)
    return copy


def _max_and_argmax(time_major: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maximum over time and where it is, each ``(batch, size)``.

    On a CPU ``max(dim=0)`` walks along every column on its own; pooling over an image of ``time`` by 1 pixels
    with ``batch * size`` channels, channels last, is the same and 25 times faster.
    """
    if time_major.device.type != "cpu":
        highest, at = time_major.max(dim=0)
        return highest, at
    time, batch, size = time_major.shape
    image = time_major.view(1, time, 1, batch * size).permute(0, 3, 1, 2)
    pooled, places = max_pool2d(image, (time, 1), return_indices=True)
    return pooled.reshape(batch, size), places.reshape(batch, size)

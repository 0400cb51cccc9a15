"""Where the tokens of a right-padded batch lie, and how it is laid out for a network that walks through time.

A time-major batch ``(time, batch, size)`` is a matrix of ``time * batch`` rows, row ``t * batch + b``
being token ``t`` of sequence ``b``. With the sequences x (3 tokens) and y (1 token)::

    time 0   x0 y0        rows 0 1          reversal 4 1      each sequence turned round within
    time 1   x1  .             2 3                   2 3      its own length; padding stays
    time 2   x2  .             4 5                   0 5      where it is

The autograd functions here say what PyTorch can't know: what holds only zeros, which gather is its own
inverse. That spares copies of the whole batch, which for small networks cost as much as the network.
"""

from typing import Any, cast

import torch
from torch import Tensor

from rnnlab.data.batch import beside


class RaggedRows:
    """Row numbers of one batch: its padding, its last tokens, and the reversal of every sequence.

    Each is computed when it is first asked for.

    Args:
        lengths: ``(batch,)`` integers from 1 to ``time``.
        time: steps of the padded batch.
        device: where the numbers are wanted.
    """

    def __init__(self, lengths: Tensor, time: int, device: torch.device) -> None:
        self.lengths = lengths.to(dtype=torch.int64).to(device, non_blocking=device.type != "cpu")
        self.time = time
        self.batch = lengths.numel()
        self._steps = torch.arange(time, device=device).unsqueeze(1)
        self._columns = torch.arange(self.batch, device=device)
        self.is_padding = self._steps >= self.lengths
        """``(time, batch)`` bool."""
        self._padding: Tensor | None = None
        self._reversal: Tensor | None = None

    @property
    def last(self) -> Tensor:
        """``(batch,)`` row number of each sequence's last token."""
        return (self.lengths - 1) * self.batch + self._columns

    def fill_padding(self, sequences: Tensor, value: float) -> None:
        """Write ``value`` over the padding of ``sequences``, ``(time, batch, size)`` and contiguous."""
        if sequences.device.type != "cpu":  # to list the rows would wait for the device
            sequences.masked_fill_(self.is_padding.unsqueeze(2), value)
            return
        if self._padding is None:
            self._padding = self.is_padding.flatten().nonzero().squeeze(1)
        sequences.view(self.time * self.batch, -1).index_fill_(0, self._padding, value)

    @property
    def reversal(self) -> Tensor:
        """``(time * batch,)`` the permutation that reverses each sequence; it is its own inverse."""
        if self._reversal is None:
            mirrored = torch.where(self.is_padding, self._steps, self.lengths - 1 - self._steps)
            self._reversal = (mirrored * self.batch + self._columns).flatten()
        return self._reversal


def time_major(inputs: Tensor, rows: RaggedRows, with_padding_column: bool) -> Tensor:
    """Return ``inputs`` ``(batch, time, size)`` as ``(time, batch, size)`` with zeros in the padding.

    Args:
        inputs: may hold anything in the padding, NaN included.
        rows: of this batch.
        with_padding_column: append a feature that is 1 in the padding and 0 elsewhere.
    """
    return cast(Tensor, _TimeMajor.apply(inputs, rows, with_padding_column))


def batch_major(outputs: Tensor, rows: RaggedRows, in_place: bool) -> Tensor:
    """Return ``outputs`` ``(time, batch, size)`` as ``(batch, time, size)`` with zeros in the padding.

    Args:
        outputs: may hold anything in the padding.
        rows: of this batch.
        in_place: write the zeros into ``outputs`` itself; only where autograd has not saved it.
    """
    zeroed = cast(Tensor, _PaddingZeroed.apply(outputs, rows, in_place))
    return zeroed.transpose(0, 1)


def reordered(rows: Tensor, permutation: Tensor) -> Tensor:
    """Return ``rows`` ``(rows, size)`` in the order of ``permutation``, which must be its own inverse."""
    return cast(Tensor, _RowsPermuted.apply(rows, permutation))


def turned_round(sequences: Tensor, lengths: Tensor) -> Tensor:
    """Return right-padded sequences from their last token to their first; padding stays where it is.

    Args:
        sequences: ``(batch, time)`` or ``(batch, time, size)``.
        lengths: ``(batch,)`` tokens of each, on any device.
    """
    steps = torch.arange(sequences.shape[1], device=sequences.device)
    ends = beside(lengths, sequences).unsqueeze(1)
    places = torch.where(steps < ends, ends - 1 - steps, steps)
    if sequences.dim() == 3:
        places = places.unsqueeze(2).expand_as(sequences)
    return sequences.gather(1, places)


class _TimeMajor(torch.autograd.Function):
    """One copy forward; backward only a view, as a scan's gradient is exactly zero in the padding.

    It is so because no real output or final state depends on what was computed there, and what was computed
    there is finite.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, rows: RaggedRows, with_padding_column: bool) -> Tensor:
        batch, time, size = inputs.shape
        ctx.size = size
        copy = inputs.new_empty(time, batch, size + with_padding_column)
        copy[..., :size] = inputs.transpose(0, 1)
        rows.fill_padding(copy, 0)
        if with_padding_column:
            copy[..., size] = rows.is_padding
        return copy

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0][..., : ctx.size].transpose(0, 1), None, None


class _PaddingZeroed(torch.autograd.Function):
    """Zeros in the padding of ``(time, batch, size)``, in the values forward and in the gradient backward."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, rows: RaggedRows, in_place: bool) -> Tensor:
        ctx.rows = rows
        if in_place:
            ctx.mark_dirty(outputs)
        zeroed = outputs if in_place else outputs.clone()
        rows.fill_padding(zeroed, 0)
        return zeroed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        copy = gradients[0].clone(memory_format=torch.contiguous_format)
        ctx.rows.fill_padding(copy, 0)
        return copy, None, None


class _RowsPermuted(torch.autograd.Function):
    """Reorder rows by a permutation that is its own inverse, so that the gradient is the same gather.

    The derivative of ``index_select`` scatters with ``index_add``, which is many times slower on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, permutation: Tensor) -> Tensor:
        ctx.save_for_backward(permutation)
        return rows.index_select(0, permutation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (permutation,) = ctx.saved_tensors
        return reordered(gradients[0], permutation), None


def taken_out(batch: Tensor, places: Tensor) -> Tensor:
    """Return the rows of ``batch (rows, size)`` at ``places``, all different, in their order."""
    return cast(Tensor, _RowsTaken.apply(batch, places))


def put_back(tokens: Tensor, places: Tensor, rows: int) -> Tensor:
    """Return ``(rows, size)`` with ``tokens (count, size)`` at ``places``, all different; else zeros."""
    return cast(Tensor, _RowsPut.apply(tokens, places, rows))


class _RowsTaken(torch.autograd.Function):
    """A gather whose gradient writes each row once, and adds nothing up."""

    @staticmethod
    def forward(ctx: Any, batch: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.rows = len(batch)
        return batch.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return put_back(gradients[0], places, ctx.rows), None


class _RowsPut(torch.autograd.Function):
    """The way back, whose gradient is the gather."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, places: Tensor, rows: int) -> Tensor:
        ctx.save_for_backward(places)
        return tokens.new_zeros(rows, tokens.shape[1]).index_copy_(0, places, tokens)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (places,) = ctx.saved_tensors
        return taken_out(gradients[0], places), None, None

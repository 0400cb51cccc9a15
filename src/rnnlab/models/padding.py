"""Where the tokens of a right-padded batch lie, as row numbers of its time-major matrix.

A time-major batch ``(time, batch, size)`` is a matrix of ``time * batch`` rows, row ``t * batch + b``
being token ``t`` of sequence ``b``. With the sequences x (3 tokens) and y (1 token)::

    time 0   x0 y0        rows 0 1          reversal 4 1      each sequence turned round within
    time 1   x1  .             2 3                   2 3      its own length; padding stays
    time 2   x2  .             4 5                   0 5      where it is

"""

from typing import Any, cast

import torch
from torch import Tensor


class RaggedRows:
    """Row numbers of one batch: its padding, its last tokens, and the reversal of every sequence.

    Args:
        lengths: ``(batch,)`` integers from 1 to ``time``.
        time: steps of the padded batch.
        device: where the numbers are wanted.
    """

    def __init__(self, lengths: Tensor, time: int, device: torch.device) -> None:
        self.lengths = lengths.to(device=device, dtype=torch.int64)
        self.time = time
        self.batch = lengths.numel()
        steps = torch.arange(time, device=device).unsqueeze(1)
        self.is_padding = steps >= self.lengths
        """``(time, batch)`` bool."""
        self.padding = self.is_padding.flatten().nonzero().squeeze(1)
        """``(padded positions,)`` row numbers that hold no token."""
        columns = torch.arange(self.batch, device=device)
        self.last = (self.lengths - 1) * self.batch + columns
        """``(batch,)`` row number of each sequence's last token."""
        self._steps, self._columns = steps, columns
        self._reversal: Tensor | None = None

    @property
    def reversal(self) -> Tensor:
        """``(time * batch,)`` the permutation that reverses each sequence; it is its own inverse."""
        if self._reversal is None:
            mirrored = torch.where(self.is_padding, self._steps, self.lengths - 1 - self._steps)
            self._reversal = (mirrored * self.batch + self._columns).flatten()
        return self._reversal


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


def reordered(rows: Tensor, permutation: Tensor) -> Tensor:
    """Return ``rows`` ``(rows, size)`` in the order of ``permutation``, which must be its own inverse."""
    return cast(Tensor, _RowsPermuted.apply(rows, permutation))

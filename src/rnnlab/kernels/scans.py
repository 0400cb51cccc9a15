"""The fused scans for PyTorch: tensors in, tensors out, with gradients. CPU, float32 or float64.

One scan is one layer in one direction. What it returns equals PyTorch's own networks within rounding; which
rows share a batch, and how many threads there are, changes no bit of it. (Gradients of weights are sums over
the batch; those, of course, depend on what is in it. A single step of a stream without gradients, as in
generation, is PyTorch's own cell.) Second derivatives are not there: asking for them is an error.

Under ``torch.autocast`` the scans compute in the type of the weights all the same, float32 that is: narrower
inputs are widened, and outputs, states and gradients of the weights have the weights' type.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnlab.kernels import gru, lstm, rnn
from rnnlab.kernels.arena import arena_for
from rnnlab.kernels.compiler import Kernel, numbers_of
from rnnlab.kernels.panels import Weights
from rnnlab.kernels.room import room
from rnnlab.kernels.rows import Rows, rows_of
from rnnlab.kernels.team import openmp
from rnnlab.kernels.tile import VECTOR_BYTES

State = Tensor | tuple[Tensor, Tensor]
Parameters = tuple[Tensor, Tensor, Tensor, Tensor]

SMALL = 200_000
"""Multiplications below which a second thread costs more than it brings."""


class Cell(NamedTuple):
    """A cell's kernels and the number of matrices that they keep."""

    forward: Kernel
    backward: Kernel
    planes: int
    planes_are_kept: bool
    states: int


CELLS = {
    "tanh": Cell(rnn.tanh_forward, rnn.tanh_backward, rnn.PLANES, False, rnn.STATES),
    "relu": Cell(rnn.relu_forward, rnn.relu_backward, rnn.PLANES, False, rnn.STATES),
    "gru": Cell(gru.forward, gru.backward, gru.PLANES, True, gru.STATES),
    "lstm": Cell(lstm.forward, lstm.backward, lstm.PLANES, True, lstm.STATES),
}

SINGLE_STEPS = {"tanh": torch.rnn_tanh_cell, "relu": torch.rnn_relu_cell, "gru": torch.gru_cell}


class FusedScans:
    """Walks one batch; see ``rnnlab.models.scans.Scans`` for the contract.

    Args:
        kind: "gru", "lstm", "tanh" or "relu".
        lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        inputs: ``(batch, time, features)``, the batch that will be walked.

    Raises:
        ValueError: if ``inputs`` or ``lengths`` are not as said above.
    """

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __init__(self, kind: str, lengths: Tensor | None, inputs: Tensor) -> None:
        if inputs.dim() != 3 or 0 in inputs.shape or inputs.device.type != "cpu":
            raise ValueError(
                f"inputs has shape {tuple(inputs.shape)} on {inputs.device}; "
                "expected (batch, time, features), none of them zero, on the CPU."
            )
        batch, time, _ = inputs.shape
        if lengths is None:
            numbers = np.full(batch, time, np.int64)
        else:
            numbers = lengths.detach().cpu().numpy().astype(np.int64)
            if numbers.shape != (batch,) or numbers.min() < 1 or numbers.max() > time:
                raise ValueError(f"lengths is {lengths}; expected ({batch},) integers from 1 to {time}.")
        self._kind, self._cell, self._is_stream = kind, CELLS[kind], lengths is None
        self._rows = rows_of(numbers)

    def enter(self, inputs: Tensor) -> Tensor:
        """Return ``inputs`` ``(batch, time, features)``: the scans read it as it is."""
        return inputs

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def scan(self, inputs: Tensor, state: State, weights: Parameters, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction.

        Args:
            inputs: ``(batch, time, features)``; what lies in the padding changes nothing.
            state: before the first token, ``(1, batch, hidden)``, a pair of it for the LSTM.
            weights: ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``, as ``nn.RNN`` has them.
            reverse: read each sequence from its end.

        Returns:
            Outputs ``(batch, time, hidden)``, exactly zero in the padding, and the state after the last token
            read, like ``state``.
        """
        dtype = weights[0].dtype  # under autocast the inputs may be narrower
        inputs = inputs.to(dtype)
        state = (state[0].to(dtype), state[1].to(dtype)) if isinstance(state, tuple) else state.to(dtype)
        if self._is_stream and inputs.shape[1] == 1 and not torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):
                return self._single_step(inputs, state, weights)
        hidden, memory = state if isinstance(state, tuple) else (state, None)
        outputs, *final = _Scan.apply(self._cell, self._rows, reverse, inputs, hidden, memory, *weights)
        return outputs, final[0] if memory is None else (final[0], final[1])

    def _single_step(self, inputs: Tensor, state: State, weights: Parameters) -> tuple[Tensor, State]:
        """Generation goes one token at a time: there is nothing to fuse, and PyTorch's cells are quick."""
        token = inputs[:, 0]
        if isinstance(state, tuple):
            hidden, memory = torch.lstm_cell(token, (state[0][0], state[1][0]), *weights)
            return hidden.unsqueeze(1), (hidden.unsqueeze(0), memory.unsqueeze(0))
        hidden = SINGLE_STEPS[self._kind](token, state[0], *weights)
        return hidden.unsqueeze(1), hidden.unsqueeze(0)

    def join(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, directions * hidden)``."""
        return torch.cat(list(directions), dim=2) if len(directions) > 1 else directions[0]

    def leave(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, directions * hidden)``; the padding is zero already."""
        return self.join(directions)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, cell: Cell, rows: Rows, reverse: bool, inputs: Tensor, hidden: Tensor,
        memory: Tensor | None, *weights: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        start = hidden.contiguous() if memory is None else torch.cat((hidden, memory))  # (S, batch, hidden)
        inputs = _with_rows(inputs)
        batch, time, size = inputs.shape[0], inputs.shape[1], hidden.shape[2]
        outputs, final = room(batch, time, size, like=inputs), torch.empty_like(start)
        keep = any(ctx.needs_input_grad)
        if keep:
            cell.backward.begin(numbers_of(inputs))  # beside the forward pass, if both are to be compiled
        tokens, width = int(rows.tokens[-1]) if keep else 0, _width(size, inputs)
        planes = room(cell.planes, tokens if cell.planes_are_kept else 0, width, like=inputs)
        states = room(cell.states, tokens + batch if keep else 0, width, like=inputs)
        cell.forward.of(numbers_of(inputs))(
            openmp(), _threads(rows, weights), arena_for(inputs), rows, _array(inputs), _array(start),
            _weights(weights), _array(outputs), _array(final), _array(planes), _array(states), reverse,
        )  # fmt: skip
        if keep:
            ctx.cell, ctx.rows, ctx.reverse = cell, rows, reverse
            ctx.save_for_backward(inputs, planes, states, *weights)
            ctx.set_materialize_grads(False)
        return outputs, *([final] if memory is None else [final[:1].clone(), final[1:].clone()])

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # only where a graph of the gradients is wanted
            raise RuntimeError(
                "The fused scans have no second derivatives (create_graph=True): use model.backend=torch."
            )
        inputs, planes, states, *weights = ctx.saved_tensors
        cell, rows = ctx.cell, ctx.rows
        outputs_slope = inputs.new_empty(0, 0, 0) if slopes[0] is None else _with_rows(slopes[0])
        final_slope = inputs.new_zeros(cell.states, inputs.shape[0], weights[1].shape[1])
        for state, slope in enumerate(slopes[1:]):
            if slope is not None:
                final_slope[state] = slope[0]
        start_slope = torch.empty_like(final_slope)
        of_inputs, of_weights = ctx.needs_input_grad[3], any(ctx.needs_input_grad[6:])
        inputs_slope = room(*(inputs.shape if of_inputs else (0, 0, 0)), like=inputs)
        weight_slopes = [
            weight.new_empty(weight.shape if of_weights else (0,) * weight.dim()) for weight in weights
        ]
        cell.backward.of(numbers_of(inputs))(
            openmp(), _threads(rows, weights), arena_for(inputs), rows, _array(inputs), _weights(weights),
            _array(planes), _array(states), _array(outputs_slope), _array(final_slope), _array(inputs_slope),
            _array(start_slope), _weights(weight_slopes), ctx.reverse,
        )  # fmt: skip
        return (
            None, None, None, inputs_slope if of_inputs else None, start_slope[:1],
            start_slope[1:] if cell.states > 1 else None, *(weight_slopes if of_weights else [None] * 4),
        )  # fmt: skip


def _width(size: int, like: Tensor) -> int:
    """Return ``size`` rounded up to whole vector registers, as ``tile.padded`` does."""
    lanes = VECTOR_BYTES // like.itemsize
    return -(-size // lanes) * lanes


def _array(tensor: Tensor) -> Any:
    return tensor.detach().numpy()


def _with_rows(tensor: Tensor) -> Tensor:
    """Return ``(…, size)`` such that the numbers of a row lie side by side, as ``vectors.py`` wants them."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _weights(weights: Sequence[Tensor]) -> Weights:
    return Weights(*(_array(weight.contiguous()) for weight in weights))


def _threads(rows: Rows, weights: Sequence[Tensor]) -> int:
    """Return how many threads the work is worth; no bit of the results depends on it."""
    work = int(rows.tokens[-1]) * (weights[0].numel() + weights[1].numel())
    return min(torch.get_num_threads(), len(rows.blocks) - 1) if work > SMALL else 1

"""The fused scans for PyTorch: tensors in, tensors out, with gradients. CPU, float32 or float64.

One scan is one layer in one direction. What it returns equals PyTorch's own networks within rounding; which
rows share a batch, and how many threads there are, changes no bit of it. (Gradients of weights are sums over
the batch; those, of course, depend on what is in it. A single step of a stream without gradients, as in
generation, is PyTorch's own cell.) Second derivatives are not there: asking for them is an error.

Under ``torch.autocast`` the scans compute in the type of the weights all the same, float32 that is: narrower
inputs are widened, and outputs, states and gradients of the weights have the weights' type.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnlab.kernels.arena import arena_for
from rnnlab.kernels.compiler import numbers_of
from rnnlab.kernels.entry import ScanKernels
from rnnlab.kernels.product import Weights
from rnnlab.kernels.room import room
from rnnlab.kernels.rows import Rows, rows_of
from rnnlab.kernels.team import openmp
from rnnlab.kernels.tile import VECTOR_BYTES

State = tuple[Tensor, ...]
SingleStep = Callable[[Tensor, State, Mapping[str, Tensor]], State]

SMALL = 200_000
"""Multiplications below which a second thread costs more than it brings."""


@cache
def kernels_named(name: str) -> ScanKernels:
    """Return a cell's kernels, such as ``rnnlab.kernels.gru.SCAN``."""
    module, _, attribute = name.rpartition(".")
    kernels: ScanKernels = getattr(importlib.import_module(module), attribute)
    return kernels


class FusedScans:
    """Walks one batch; see ``rnnlab.encoder.scans.Scans`` for the contract.

    Args:
        kernels: of the cell.
        lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        inputs: ``(batch, time, features)``, the batch that will be walked.
        single_step: PyTorch's own way of one step, for generation: there is nothing to fuse, and it is quick.

    Raises:
        ValueError: if ``inputs`` or ``lengths`` are not as said above.
    """

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __init__(
        self,
        kernels: ScanKernels,
        lengths: Tensor | None,
        inputs: Tensor,
        single_step: SingleStep | None = None,
    ) -> None:
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
        self._kernels, self._single_step = kernels, single_step if lengths is None else None
        self._rows = rows_of(numbers)

    def enter(self, inputs: Tensor) -> Tensor:
        """Return ``inputs`` ``(batch, time, features)``: the scans read it as it is."""
        return inputs

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def scan(
        self, inputs: Tensor, state: State, weights: Mapping[str, Tensor], reverse: bool
    ) -> tuple[Tensor, State]:
        """Walk one layer in one direction.

        Args:
            inputs: ``(batch, time, features)``; what lies in the padding changes nothing.
            state: before the first token, ``(1, batch, hidden)`` each.
            weights: ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``, as ``nn.RNN`` has them.
            reverse: read each sequence from its end.

        Returns:
            Outputs ``(batch, time, hidden)``, exactly zero in the padding, and the state after the last token
            read, like ``state``.
        """
        dtype = weights["weight_ih"].dtype  # under autocast the inputs may be narrower
        inputs = inputs.to(dtype)
        state = tuple(part.to(dtype) for part in state)
        if self._single_step is not None and inputs.shape[1] == 1 and not torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):
                after = self._single_step(inputs[:, 0], tuple(part[0] for part in state), weights)
            return after[0].unsqueeze(1), tuple(part.unsqueeze(0) for part in after)
        memory = state[1] if len(state) > 1 else None
        arguments = (self._kernels, self._rows, reverse, inputs, state[0], memory, *weights.values())
        outputs, *final = _Scan.apply(*arguments)
        return outputs, tuple(final)

    def join(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, directions * hidden)``."""
        return torch.cat(list(directions), dim=2) if len(directions) > 1 else directions[0]

    def leave(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, directions * hidden)``; the padding is zero already."""
        return self.join(directions)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: ScanKernels, rows: Rows, reverse: bool, inputs: Tensor, hidden: Tensor,
        memory: Tensor | None, *weights: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        start = hidden.contiguous() if memory is None else torch.cat((hidden, memory))  # (S, batch, hidden)
        inputs = _with_rows(inputs)
        batch, time, size = inputs.shape[0], inputs.shape[1], hidden.shape[2]
        outputs, final = room(batch, time, size, like=inputs), torch.empty_like(start)
        keep = any(ctx.needs_input_grad)
        if keep:
            kernels.backward.begin(numbers_of(inputs))  # beside the forward pass, if both are to be compiled
        tokens, width = int(rows.tokens[-1]) if keep else 0, _width(size, inputs)
        planes = room(kernels.planes, tokens if kernels.planes_are_kept else 0, width, like=inputs)
        states = room(kernels.states, tokens + batch if keep else 0, width, like=inputs)
        kernels.forward.of(numbers_of(inputs))(
            openmp(), _threads(rows, weights), arena_for(inputs), rows, _array(inputs), _array(start),
            _weights(weights), _array(outputs), _array(final), _array(planes), _array(states), reverse,
        )  # fmt: skip
        if keep:
            ctx.kernels, ctx.rows, ctx.reverse = kernels, rows, reverse
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
        kernels, rows = ctx.kernels, ctx.rows
        outputs_slope = inputs.new_empty(0, 0, 0) if slopes[0] is None else _with_rows(slopes[0])
        final_slope = inputs.new_zeros(kernels.states, inputs.shape[0], weights[1].shape[1])
        for state, slope in enumerate(slopes[1:]):
            if slope is not None:
                final_slope[state] = slope[0]
        start_slope = torch.empty_like(final_slope)
        of_inputs, of_weights = ctx.needs_input_grad[3], any(ctx.needs_input_grad[6:])
        inputs_slope = room(*(inputs.shape if of_inputs else (0, 0, 0)), like=inputs)
        weight_slopes = [
            weight.new_empty(weight.shape if of_weights else (0,) * weight.dim()) for weight in weights
        ]
        kernels.backward.of(numbers_of(inputs))(
            openmp(), _threads(rows, weights), arena_for(inputs), rows, _array(inputs), _weights(weights),
            _array(planes), _array(states), _array(outputs_slope), _array(final_slope), _array(inputs_slope),
            _array(start_slope), _weights(weight_slopes), ctx.reverse,
        )  # fmt: skip
        return (
            None, None, None, inputs_slope if of_inputs else None, start_slope[:1],
            start_slope[1:] if kernels.states > 1 else None, *(weight_slopes if of_weights else [None] * 4),
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

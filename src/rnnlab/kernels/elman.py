"""Elman's network and backpropagation through time, written out in PyTorch's own operations.

With ``a_t = W x_t + U h_(t-1) + b`` and ``h_t = tanh a_t`` (or ``max(a_t, 0)``), a loss ``L`` and
``s_t = dL / dh_t`` where ``h_t`` is read (Werbos 1990)::

    dL/da_t = (s_t + U^T dL/da_(t+1)) * (1 - h_t^2)
    dL/dW = sum of dL/da_t x_t^T     dL/dU = sum of dL/da_t h_(t-1)^T     dL/db = sum of dL/da_t

What does not depend on the step before is one product for all steps: of the inputs forwards, and all
gradients of weights backwards. PyTorch's ``nn.RNN`` on a CPU leaves the sum over steps to autograd, product
by product.
"""

from typing import Any, cast

import torch
from torch import Tensor

from rnnlab.kernels.room import room

Weights = tuple[Tensor, Tensor, Tensor, Tensor]


def elman_walk(inputs: Tensor, start: Tensor, weights: Weights, rectified: bool) -> Tensor:
    """Walk one layer in one direction; the same as ``torch.rnn_tanh`` and ``torch.rnn_relu``.

    Args:
        inputs: ``(time, batch, input)``.
        start: the state before the first step, ``(1, batch, hidden)``.
        weights: ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``, as ``nn.RNN`` has them.
        rectified: ReLU instead of tanh.

    Returns:
        Every step's state ``(time, batch, hidden)``. Autograd keeps it: it is not to be written to.
    """
    return cast(Tensor, _Walk.apply(inputs, start, *weights, rectified))


def can_walk(inputs: Tensor) -> bool:
    """Return whether :func:`elman_walk` may stand in: for training on a CPU, in one precision."""
    if inputs.device.type != "cpu" or not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return False
    is_traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return not (is_traced or torch.compiler.is_compiling())


class _Walk(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, start: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor,
        bias_hh: Tensor, rectified: bool,
    ) -> Tensor:  # fmt: skip
        time, batch, _ = inputs.shape
        states = room(time, batch, len(weight_hh), like=inputs)
        torch.addmm(bias_ih + bias_hh, inputs.flatten(0, 1), weight_ih.t(), out=states.flatten(0, 1))
        before, recurrent = start[0], weight_hh.t()
        for state in states.unbind(0):
            state.addmm_(before, recurrent)
            before = state.relu_() if rectified else state.tanh_()
        ctx.rectified = rectified
        ctx.save_for_backward(inputs, start, weight_ih, weight_hh, bias_ih, bias_hh, states)
        return states

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        *arguments, states = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the gradients is wanted
            return *_differentiable_gradients(slopes[0], arguments, ctx.rectified), None
        inputs, start, weight_ih, weight_hh, _, _ = arguments
        drives = _drives(slopes[0], states, weight_hh, ctx.rectified)
        flat = drives.flatten(0, 1)
        of_bias = flat.sum(0)
        of_recurrent = torch.addmm(
            drives[0].t() @ start[0], drives[1:].flatten(0, 1).t(), states[:-1].flatten(0, 1)
        )
        of_inputs = None
        if ctx.needs_input_grad[0]:
            of_inputs = room(*inputs.shape, like=inputs)
            torch.mm(flat, weight_ih, out=of_inputs.flatten(0, 1))
        of_start = (drives[0] @ weight_hh).unsqueeze(0)
        return of_inputs, of_start, flat.t() @ inputs.flatten(0, 1), of_recurrent, of_bias, of_bias, None


def _drives(slopes: Tensor, states: Tensor, weight_hh: Tensor, rectified: bool) -> Tensor:
    """Return the loss's gradient by what goes into the nonlinearity, ``(time, batch, hidden)``.

    Args:
        slopes: the loss's gradient by every step's state where it is read, ``(time, batch, hidden)``.
        states: every step's state.
        weight_hh: ``(hidden, hidden)``.
        rectified: ReLU instead of tanh.
    """
    times_steepness = torch.ops.aten.threshold_backward if rectified else torch.ops.aten.tanh_backward
    limit = (0,) if rectified else ()
    drives = room(*slopes.shape, like=slopes).copy_(slopes)
    later: Tensor | None = None
    for drive, state in zip(reversed(drives.unbind(0)), reversed(states.unbind(0)), strict=True):
        if later is not None:
            drive.addmm_(later, weight_hh)
        later = times_steepness.grad_input(drive, state, *limit, grad_input=drive)
    return drives


def _differentiable_gradients(
    slopes: Tensor, arguments: list[Tensor], rectified: bool
) -> tuple[Tensor | None, ...]:
    """Return the gradients of ``arguments`` by PyTorch's own walk, so that they have gradients themselves."""
    walk = torch.rnn_relu if rectified else torch.rnn_tanh
    inputs, start, *weights = arguments
    states, _ = walk(inputs, start, weights, True, 1, 0.0, True, False, False)
    wanted = [one for one in arguments if one.requires_grad]
    found = iter(torch.autograd.grad(states, wanted, slopes, create_graph=True))
    return tuple(next(found) if one.requires_grad else None for one in arguments)

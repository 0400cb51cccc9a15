"""The scan of all elementwise cells for CUDA, in Triton: ``c_t = a_t * c_(t-1) + b_t``, real or complex.

A program walks a row's stretch of units from the first token to the last, so thousands of numbers go side by
side. With ``TRITON_INTERPRET=1`` in the environment before Triton is imported, it runs on a CPU, for tests.
"""

# mypy: disable-error-code="untyped-decorator"

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

UNITS = 64


def device_scan(
    drive: Tensor,
    decay: Tensor,
    start: Tensor,
    first: Tensor,
    lengths: Tensor,
    reverse: bool,
    is_complex: bool,
) -> Tensor:
    """Return c after each token, ``(tokens, width)``.

    Args:
        drive: b, ``(tokens, width)``; where it is complex, real parts, then imaginary parts.
        decay: a, the same, or ``(1, width)``.
        start: c before the first token, ``(batch, width)``.
        first: ``(batch,)`` the place of each row's first token.
        lengths: ``(batch,)`` of the rows.
        reverse: read each row from its end.
        is_complex: whether the numbers are.
    """
    found: Tensor = _Scan.apply(drive, decay, start, first, lengths, reverse, is_complex)
    return found


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, drive: Tensor, decay: Tensor, start: Tensor, first: Tensor, lengths: Tensor, reverse: bool,
        is_complex: bool,
    ) -> Tensor:  # fmt: skip
        drive, decay, start = drive.contiguous(), decay.contiguous(), start.contiguous()
        states = torch.empty_like(drive)
        ctx.reverse, ctx.is_complex = reverse, is_complex
        units = drive.shape[1] // (1 + is_complex)
        _forward[_grid(start, units)](
            drive, decay, start, first, lengths, states, units, int(len(decay) > 1), REVERSE=reverse,
            COMPLEX=is_complex, UNITS=UNITS,
        )  # fmt: skip
        ctx.save_for_backward(decay, start, first, lengths, states)
        return states

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # only where a graph of the gradients is wanted
            raise RuntimeError(
                "The fused scans have no second derivatives (create_graph=True): use model.backend=torch."
            )
        decay, start, first, lengths, states = ctx.saved_tensors
        drive_slope, start_slope = torch.empty_like(states), torch.empty_like(start)
        is_sum = len(decay) == 1
        decay_slope = decay.new_empty(start.shape if is_sum else decay.shape)
        units = states.shape[1] // (1 + ctx.is_complex)
        _backward[_grid(start, units)](
            slopes[0].contiguous(), decay, start, first, lengths, states, drive_slope, decay_slope,
            start_slope, units, int(not is_sum), REVERSE=ctx.reverse, COMPLEX=ctx.is_complex, UNITS=UNITS,
        )  # fmt: skip
        of_decay = decay_slope.sum(0, keepdim=True) if is_sum else decay_slope
        return drive_slope, of_decay, start_slope, None, None, None, None


def _grid(start: Tensor, units: int) -> tuple[int, int]:
    return len(start), triton.cdiv(units, UNITS)


@triton.jit
def _times(real, imaginary, other, other_imaginary, COMPLEX: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the product of two numbers; the imaginary parts are nothing where they are real."""
    if COMPLEX:
        return real * other - imaginary * other_imaginary, real * other_imaginary + imaginary * other
    return real * other, imaginary


@triton.jit
def _load(place, units, mask, COMPLEX: tl.constexpr):  # type: ignore[no-untyped-def]
    real = tl.load(place, mask=mask, other=0)
    if COMPLEX:
        return real, tl.load(place + units, mask=mask, other=0)
    return real, real


@triton.jit
def _store(place, real, imaginary, units, mask, COMPLEX: tl.constexpr):  # type: ignore[no-untyped-def]
    tl.store(place, real, mask=mask)
    if COMPLEX:
        tl.store(place + units, imaginary, mask=mask)


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    drive, decay, start, first, lengths, states, units, moves, REVERSE: tl.constexpr, COMPLEX: tl.constexpr,
    UNITS: tl.constexpr,
):  # fmt: skip
    """Walk a row's stretch of units; ``moves`` is 1 where a is another at each token, else 0."""
    row, unit = tl.program_id(0).to(tl.int64), tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    mask, width = unit < units, units * (2 if COMPLEX else 1)
    begin, length = tl.load(first + row), tl.load(lengths + row)
    real, imaginary = _load(start + row * width + unit, units, mask, COMPLEX)
    for step in range(length):
        token = begin + (length - 1 - step if REVERSE else step)
        at = token * width + unit
        a, a_imaginary = _load(decay + token * moves * width + unit, units, mask, COMPLEX)
        b, b_imaginary = _load(drive + at, units, mask, COMPLEX)
        real, imaginary = _times(real, imaginary, a, a_imaginary, COMPLEX)
        real, imaginary = real + b, imaginary + b_imaginary
        _store(states + at, real, imaginary, units, mask, COMPLEX)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    slopes, decay, start, first, lengths, states, drive_slope, decay_slope, start_slope, units, moves,
    REVERSE: tl.constexpr, COMPLEX: tl.constexpr, UNITS: tl.constexpr,
):  # fmt: skip
    """Walk back; the gradient of an a that is the same at every token is summed for each row."""
    row, unit = tl.program_id(0).to(tl.int64), tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    mask, width = unit < units, units * (2 if COMPLEX else 1)
    begin, length = tl.load(first + row), tl.load(lengths + row)
    first_state, first_imaginary = _load(start + row * width + unit, units, mask, COMPLEX)
    flowing, flowing_imaginary = first_state * 0, first_imaginary * 0
    total, total_imaginary = first_state * 0, first_imaginary * 0
    for left in range(length):
        token = begin + (left if REVERSE else length - 1 - left)
        at = token * width + unit
        more, more_imaginary = _load(slopes + at, units, mask, COMPLEX)
        flowing, flowing_imaginary = flowing + more, flowing_imaginary + more_imaginary
        _store(drive_slope + at, flowing, flowing_imaginary, units, mask, COMPLEX)
        earlier = begin + (left + 1 if REVERSE else length - 2 - left)
        # Triton 3.9's interpreter makes no mask of a mask and one condition for all.
        is_inside = tl.where(left < length - 1, unit, units) < units
        before, before_imaginary = _load(states + earlier * width + unit, units, is_inside, COMPLEX)
        before = tl.where(left < length - 1, before, first_state)
        before_imaginary = tl.where(left < length - 1, before_imaginary, first_imaginary)
        da, da_imaginary = _times(flowing, flowing_imaginary, before, -before_imaginary, COMPLEX)
        if moves:
            _store(decay_slope + at, da, da_imaginary, units, mask, COMPLEX)
        total, total_imaginary = total + da, total_imaginary + da_imaginary
        a, a_imaginary = _load(decay + token * moves * width + unit, units, mask, COMPLEX)
        flowing, flowing_imaginary = _times(flowing, flowing_imaginary, a, -a_imaginary, COMPLEX)
    if not moves:
        _store(decay_slope + row * width + unit, total, total_imaginary, units, mask, COMPLEX)
    _store(start_slope + row * width + unit, flowing, flowing_imaginary, units, mask, COMPLEX)

"""The fused scan of all elementwise cells: ``c_t = a_t * c_(t-1) + b_t``, forwards and back.

The products are made before, for all tokens at once (``cells/cell.py``, ``ElementwiseCell``); what is left
reads every number once, so memory is what it costs. So some cells have their gates in the scan: what there
is to do with a token stands in ``elementwise_gates.py``.

Tokens lie row by row without padding, ``(tokens, width)``. A thread walks one row from its first token to its
last, so no bit of a row depends on the other rows, nor on the number of threads. With d for the gradient of
the loss, and going back::

    dc = d(output of this token) + d(c from the token read next)
    db = dc      da = dc * c_before      d(c_before) = a * dc

(complex: ``conj(a)`` and ``conj(c_before)`` in place of a and c_before).

Each kind says what one token does, in ``step`` and ``step_back``. Their arguments are rows of numbers:

* ``given``: what the product gives to the token, or b; ``beside``: its biases, or a.
* ``state``: c, changed in place; ``output``: written.
* ``before``, ``after``: c before and after the token; ``slope``: dc without what the output adds, changed in
  place to d(c_before); ``output_slope``.
* ``given_slope``: written; ``beside_slope``: added to.
"""

from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnlab.kernels.compiler import Kernel, compiled, compiled_for, numbers_of, types
from rnnlab.kernels.room import room
from rnnlab.kernels.team import claim, openmp, team_of
from rnnlab.kernels.vectors import prefetch_row, unowned

SMALL = 30_000
"""Numbers below which a second thread costs more than it brings."""


class Places(NamedTuple):
    """Where the rows of a batch lie, the longest first.

    Attributes:
        order: ``(batch,)`` their numbers in the batch.
        starts: ``(batch,)`` their first tokens.
        lengths: ``(batch,)`` how many tokens they have.
    """

    order: Any
    starts: Any
    lengths: Any


class ElementwiseKernels(NamedTuple):
    """One kind of scan.

    Attributes:
        forward: see ``_forward``.
        backward: see ``_backward``.
        has_gates: whether it takes what the product gives, and the biases; else b and a.
        reads_state: whether the output is the state itself.
    """

    forward: Kernel
    backward: Kernel
    has_gates: bool
    reads_state: bool


def places_of(lengths: Tensor) -> Places:
    """Return the places of rows of these ``lengths`` ``(batch,)``, laid one behind the other."""
    numbers = lengths.numpy().astype(np.int64)
    order = np.argsort(-numbers, kind="stable")
    return Places(order, (np.cumsum(numbers) - numbers)[order], numbers[order])


def elementwise_scan(
    kernels: ElementwiseKernels, places: Places, reverse: bool, given: Tensor, beside: Tensor, start: Tensor
) -> tuple[Tensor, Tensor]:
    """Walk one layer in one direction.

    Args:
        kernels: of the kind.
        places: of the rows.
        reverse: read each row from its end.
        given: ``(tokens, ...)`` of the product, or b.
        beside: ``(1, ...)`` the biases, or a; ``(tokens, ...)`` where a is another at each token.
        start: c before the first token, ``(batch, width)``.

    Returns:
        Outputs ``(tokens, width)``, and c after the last token read, ``(batch, width)``.
    """
    outputs, final = _Scan.apply(kernels, places, reverse, given, beside, start)
    return outputs, final


def product_in_parts(
    inputs: Tensor, matrix: Tensor, bias: Tensor | None, at: int | None
) -> tuple[Tensor, Tensor]:
    """Return ``inputs @ matrix.T + bias`` up to column ``at`` and from there on; None: all of it, twice.

    What all tokens give is large and new at every step: it is written where :func:`room` makes room for it.

    Args:
        inputs: ``(tokens, input)``.
        matrix: ``(width, input)``.
        bias: ``(width,)``.
        at: a column.
    """
    parts = _Product.apply(inputs, matrix, bias, [len(matrix)] if at is None else [at, len(matrix) - at])
    return parts[0], parts[-1]


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, matrix: Tensor, bias: Tensor | None, widths: list[int]
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(inputs, matrix)
        ctx.widths, ctx.adds = widths, bias is not None
        parts = []
        for number, rows in enumerate(torch.split(matrix, widths)):
            part = room(len(inputs), len(rows), like=inputs)
            if bias is None:
                torch.mm(inputs, rows.t(), out=part)
            else:
                torch.addmm(torch.split(bias, widths)[number], inputs, rows.t(), out=part)
            parts.append(part)
        return tuple(parts)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        inputs, matrix = ctx.saved_tensors
        inputs_slope = None
        if ctx.needs_input_grad[0]:
            inputs_slope = room(*inputs.shape, like=inputs)
            for number, (slope, rows) in enumerate(zip(slopes, torch.split(matrix, ctx.widths), strict=True)):
                torch.addmm(inputs_slope, slope, rows, beta=int(number > 0), out=inputs_slope)
        matrix_slope = torch.cat([slope.t() @ inputs for slope in slopes])
        bias_slope = torch.cat([slope.sum(0) for slope in slopes]) if ctx.adds else None
        return inputs_slope, matrix_slope, bias_slope, None


def _refuse_second_derivatives() -> None:
    """Raise RuntimeError where a graph of the gradients is wanted."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "The fused scans have no second derivatives (create_graph=True): use model.backend=torch."
        )


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: ElementwiseKernels, places: Places, reverse: bool, given: Tensor, beside: Tensor,
        start: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        given, beside, start = _with_rows(given), beside.contiguous(), start.contiguous()
        tokens, width = len(given), start.shape[1]
        outputs, final = room(tokens, width, like=given), torch.empty_like(start)
        keep = any(ctx.needs_input_grad)
        if keep:
            kernels.backward.begin(numbers_of(given))  # beside the forward pass, if both are to be compiled
        kept = room(tokens if keep and not kernels.reads_state else 0, width, like=given)
        kernels.forward.of(numbers_of(given))(
            openmp(), _threads(given, places), places, given.numpy(), beside.numpy(), start.numpy(),
            outputs.numpy(), kept.numpy(), final.numpy(), reverse,
        )  # fmt: skip
        if keep:
            ctx.kernels, ctx.places, ctx.reverse = kernels, places, reverse
            ctx.save_for_backward(given, beside, start, outputs if kernels.reads_state else kept)
        return outputs, final

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivatives()
        given, beside, start, states = ctx.saved_tensors
        kernels, places = ctx.kernels, ctx.places
        given_slope = room(*given.shape, like=given)
        is_sum = len(beside) == 1
        beside_slope = beside.new_zeros(len(start) if is_sum else len(beside), beside.shape[1])
        flowing = slopes[1].clone(memory_format=torch.contiguous_format)
        kernels.backward.of(numbers_of(given))(
            openmp(), _threads(given, places), places, given.numpy(), beside.numpy(), start.numpy(),
            states.numpy(), _with_rows(slopes[0]).numpy(), given_slope.numpy(), beside_slope.numpy(),
            flowing.numpy(), ctx.reverse, is_sum,
        )  # fmt: skip
        of_beside = beside_slope[:1].clone() if is_sum else beside_slope
        return None, None, None, given_slope, of_beside, flowing


def _with_rows(matrix: Tensor) -> Tensor:
    """Return the matrix such that the numbers of a row lie side by side."""
    return matrix.detach().contiguous()


def _threads(given: Tensor, places: Places) -> int:
    """Return how many threads the work is worth; no bit of the results depends on it."""
    return min(torch.get_num_threads(), len(places.order)) if given.numel() > SMALL else 1


def kernels_of(name: str, step: Any, step_back: Any, has_gates: bool, reads_state: bool) -> Any:
    """Return the scan of one kind, see the module's text for ``step`` and ``step_back``."""
    walk, walk_back = _walk_of(name, step), _walk_back_of(name, step_back)
    forward = _with_globals(_forward, name, walk=team_of(walk))
    backward = _with_globals(_backward, name, walk=team_of(walk_back))
    return ElementwiseKernels(
        Kernel(forward, _forward_types, f"{name} forward", elsewhere=step.__module__),
        Kernel(backward, _backward_types, f"{name} backward", elsewhere=step.__module__),
        has_gates,
        reads_state,
    )


def _with_globals(template: Any, name: str, **named: Any) -> Any:
    """Return ``template`` with more global names: numba keeps no function on disk that has a closure."""
    function = FunctionType(template.__code__, {**globals(), **named}, template.__name__)
    function.__qualname__ = f"{template.__name__}_{name.replace(' ', '_')}"
    return function


def _walk_of(name: str, step: Any) -> Any:
    @compiled_for(name)
    def walk(
        counter: Any, places: Any, given: Any, beside: Any, start: Any, outputs: Any, kept: Any,
        final: Any, reverse: bool,
    ) -> None:  # fmt: skip
        given, beside, start, outputs = unowned(given), unowned(beside), unowned(start), unowned(outputs)
        kept, final = unowned(kept), unowned(final)
        keep, moves = len(kept) > 0, len(beside) > 1
        while True:
            row = claim(counter, 1)
            if row >= len(places.order):
                break
            number, length = places.order[row], places.lengths[row]
            token = places.starts[row] + (length - 1 if reverse else 0)
            state = final[number]
            _copy(start[number], state)
            for _ in range(length):
                step(given[token], beside[token if moves else 0], state, outputs[token])
                if keep:
                    _copy(state, kept[token])
                token += -1 if reverse else 1

    return walk


def _walk_back_of(name: str, step_back: Any) -> Any:
    @compiled_for(name)
    def walk(
        counter: Any, places: Any, given: Any, beside: Any, start: Any, states: Any, outputs_slope: Any,
        given_slope: Any, beside_slope: Any, flowing: Any, reverse: bool,
    ) -> None:  # fmt: skip
        given, beside, start, states = unowned(given), unowned(beside), unowned(start), unowned(states)
        outputs_slope, given_slope = unowned(outputs_slope), unowned(given_slope)
        beside_slope, flowing = unowned(beside_slope), unowned(flowing)
        moves = len(beside) > 1
        while True:
            row = claim(counter, 1)
            if row >= len(places.order):
                break
            number, length = places.order[row], places.lengths[row]
            earlier = 1 if reverse else -1
            token = places.starts[row] + (0 if reverse else length - 1)
            for left in range(length, 0, -1):
                if left > 1:  # no processor guesses which rows come next where they lie one before the other
                    prefetch_row(given, token + earlier)
                    prefetch_row(outputs_slope, token + earlier)
                    prefetch_row(given_slope, token + earlier)
                if left > 2:
                    prefetch_row(states, token + 2 * earlier)
                before = states[token + earlier] if left > 1 else start[number]
                step_back(
                    given[token], beside[token if moves else 0], before, states[token], outputs_slope[token],
                    flowing[number], given_slope[token], beside_slope[token if moves else number],
                )  # fmt: skip
                token += earlier

    return walk


def _forward(
    team: int, threads: int, places: Any, given: Any, beside: Any, start: Any, outputs: Any, kept: Any,
    final: Any, reverse: bool,
) -> None:  # fmt: skip
    """Walk all rows; ``kept (tokens, width)`` gets c after each token for the way back, if it has rows."""
    counter = np.zeros(1, np.int64)
    arguments = (counter, places, given, beside, start, outputs, kept, final, reverse)
    walk(team, threads, arguments)  # type: ignore[name-defined]  # noqa: F821


def _backward(
    team: int, threads: int, places: Any, given: Any, beside: Any, start: Any, states: Any,
    outputs_slope: Any, given_slope: Any, beside_slope: Any, flowing: Any, reverse: bool, is_sum: bool,
) -> None:  # fmt: skip
    """Walk all rows back: ``flowing (batch, width)`` goes from slopes of the last c to those of the first.

    Where ``beside`` is one row for all, each row of the batch adds to one of ``beside_slope``; those are then
    added up to the first, in their order.
    """
    counter = np.zeros(1, np.int64)
    arguments = (
        counter, places, given, beside, start, states, outputs_slope, given_slope, beside_slope, flowing,
        reverse,
    )  # fmt: skip
    walk(team, threads, arguments)  # type: ignore[name-defined]  # noqa: F821
    if is_sum:
        for row in range(1, len(beside_slope)):
            _add(beside_slope[row], beside_slope[0])


@compiled
def _copy(source: Any, target: Any) -> None:
    for i in range(len(source)):
        target[i] = source[i]


@compiled
def _add(source: Any, target: Any) -> None:
    for i in range(len(source)):
        target[i] += source[i]


def _forward_types(number: Any) -> tuple[Any, ...]:
    rows = matrix = types.Array(number, 2, "C")
    return (
        types.intp, types.intp, _places_type(), rows, matrix, matrix, matrix, matrix, matrix, types.boolean,
    )  # fmt: skip


def _backward_types(number: Any) -> tuple[Any, ...]:
    rows = matrix = types.Array(number, 2, "C")
    return (
        types.intp, types.intp, _places_type(), rows, matrix, matrix, matrix, rows, matrix, matrix, matrix,
        types.boolean, types.boolean,
    )  # fmt: skip


def _places_type() -> Any:
    return types.NamedUniTuple(types.Array(types.int64, 1, "C"), len(Places._fields), Places)

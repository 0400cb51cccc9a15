"""What the entry points of all cells share: sharing out, summing up, and the types they are compiled for."""

from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from rnnlab.kernels.arena import Arena, cut_cube
from rnnlab.kernels.compiler import Kernel, compiled, compiled_for, types
from rnnlab.kernels.product import Weights, panels_back, panels_forward
from rnnlab.kernels.rows import Rows
from rnnlab.kernels.team import claim, team_of
from rnnlab.kernels.tile import padded
from rnnlab.kernels.walk import Slopes, Sums, backward_walk, forward_walk


class ScanKernels(NamedTuple):
    """What a cell's fused scan is made of.

    Attributes:
        forward: see ``forward_kernel``.
        backward: see ``backward_kernel``.
        planes: how many matrices it keeps of a step.
        planes_are_kept: whether the way back reads them.
        states: how many matrices go from step to step.
    """

    forward: Kernel
    backward: Kernel
    planes: int
    planes_are_kept: bool
    states: int


def forward_kernel(
    name: str, step: Any, input_planes: tuple[int, ...], recurrent_planes: tuple[int, ...]
) -> Kernel:
    """Return a cell's forward pass, see ``_forward`` for its arguments.

    Args:
        name: of the cell.
        step: see ``walk.forward_walk``.
        input_planes: the planes through which the gates depend on the inputs.
        recurrent_planes: the planes through which they depend on the state.
    """
    walk = team_of(forward_walk(name, step, input_planes))

    @compiled_for(name)
    def panels_for(arena: Any, weights: Any) -> Any:
        return panels_forward(arena, weights, input_planes, recurrent_planes)

    function = _with_globals(_forward, name, walk=walk, panels_for=panels_for)
    return Kernel(function, _forward_types, f"{name} forward", elsewhere=step.__module__)


def backward_kernel(
    name: str, step_back: Any, input_planes: tuple[int, ...], recurrent_planes: tuple[int, ...]
) -> Kernel:
    """Return a cell's backward pass, see ``_backward`` for its arguments, and ``forward_kernel``."""
    walk = team_of(backward_walk(name, step_back, input_planes, recurrent_planes))

    @compiled_for(name)
    def add_biases(sums: Any, weight_slopes: Any) -> None:
        _add_biases(sums.planes, input_planes, weight_slopes.input_bias)
        _add_biases(sums.planes, recurrent_planes, weight_slopes.recurrent_bias)

    function = _with_globals(
        _backward, name, walk=walk, gates=len(input_planes), add=team_of(_add_blocks), add_biases=add_biases
    )
    return Kernel(function, _backward_types, f"{name} backward", elsewhere=step_back.__module__)


def _with_globals(template: Any, name: str, **named: Any) -> Any:
    """Return ``template`` with more global names: numba keeps no function on disk that has a closure."""
    function = FunctionType(template.__code__, {**globals(), **named}, template.__name__)
    function.__qualname__ = f"{template.__name__}_{name.replace(' ', '_')}"
    return function


def _forward(
    team: int, threads: int, arena: Any, rows: Any, inputs: Any, start: Any, weights: Any, outputs: Any,
    final: Any, planes: Any, states: Any, reverse: bool,
) -> None:  # fmt: skip
    """Walk all blocks forwards on a team of threads, see ``walk.forward_walk``."""
    counter = np.zeros(1, np.int64)
    panels = panels_for(arena, weights)  # type: ignore[name-defined]  # noqa: F821
    arguments = (arena, counter, rows, inputs, start, panels, outputs, final, planes, states, reverse)
    walk(team, threads, arguments)  # type: ignore[name-defined]  # noqa: F821


def _backward(
    team: int, threads: int, arena: Any, rows: Any, inputs: Any, weights: Any, planes: Any, states: Any,
    outputs_slope: Any, final_slope: Any, inputs_slope: Any, start_slope: Any, weight_slopes: Any,
    reverse: bool,
) -> None:  # fmt: skip
    """Walk all blocks back, see ``walk.backward_walk``, and add up the blocks' weight gradients."""
    counters = np.zeros((3, 1), np.int64)
    panels = panels_back(arena, weights, gates)  # type: ignore[name-defined]  # noqa: F821
    slopes = Slopes(outputs_slope, final_slope, inputs_slope, start_slope)
    blocks = len(rows.blocks) - 1 if len(weight_slopes.inputs) > 0 else 0
    sums = _room_for_sums(arena, blocks, weights, planes)
    arguments = (arena, counters[0], rows, inputs, panels, planes, states, slopes, sums, reverse)
    walk(team, threads, arguments)  # type: ignore[name-defined]  # noqa: F821
    if blocks > 0:
        add(team, threads, (counters[1], sums.inputs, weight_slopes.inputs))  # type: ignore[name-defined]  # noqa: F821
        add(team, threads, (counters[2], sums.recurrent, weight_slopes.recurrent))  # type: ignore[name-defined]  # noqa: F821
        add_biases(sums, weight_slopes)  # type: ignore[name-defined]  # noqa: F821


@compiled
def _room_for_sums(arena: Any, blocks: int, weights: Any, planes: Any) -> Any:
    units, features = weights.inputs.shape
    width, features_width = planes.shape[2], padded(features, planes)
    return Sums(
        cut_cube(arena, blocks, units, features_width),
        cut_cube(arena, blocks, units, width),
        cut_cube(arena, blocks, len(planes), width),
    )


@compiled
def _add_blocks(counter: Any, sums: Any, total: Any) -> None:
    """``total (units, columns) =`` the sum of ``sums (blocks, units, width)`` over the blocks, in order."""
    at_once = 16
    while True:
        first = claim(counter, at_once)
        if first >= len(total):
            break
        for unit in range(first, min(first + at_once, len(total))):
            for column in range(total.shape[1]):
                total[unit, column] = sums[0, unit, column]
            for block in range(1, len(sums)):
                for column in range(total.shape[1]):
                    total[unit, column] += sums[block, unit, column]


@compiled
def _add_biases(sums: Any, planes: Any, bias_slope: Any) -> None:
    """``bias_slope (gates * hidden,) =`` the sum of ``sums (blocks, P, width)`` over the blocks, in order."""
    hidden = len(bias_slope) // len(planes)
    for gate in range(len(planes)):
        for unit in range(hidden):
            total = sums[0, planes[gate], unit]
            for block in range(1, len(sums)):
                total += sums[block, planes[gate], unit]
            bias_slope[gate * hidden + unit] = total


def _forward_types(number: Any) -> tuple[Any, ...]:
    """Return the types of the arguments of ``_forward``."""
    cube = types.Array(number, 3, "C")
    return (
        types.intp, types.intp, _arena_type(number), _rows_type(), types.Array(number, 3, "A"), cube,
        _weights_type(number), cube, cube, cube, cube, types.boolean,
    )  # fmt: skip


def _backward_types(number: Any) -> tuple[Any, ...]:
    """Return the types of the arguments of ``_backward``."""
    cube, any_cube = types.Array(number, 3, "C"), types.Array(number, 3, "A")
    return (
        types.intp, types.intp, _arena_type(number), _rows_type(), any_cube, _weights_type(number), cube,
        cube, any_cube, cube, cube, cube, _weights_type(number), types.boolean,
    )  # fmt: skip


def _arena_type(number: Any) -> Any:
    return types.NamedTuple((types.Array(number, 1, "C"), types.Array(types.int64, 1, "C")), Arena)


def _rows_type() -> Any:
    return types.NamedUniTuple(types.Array(types.int64, 1, "C"), len(Rows._fields), Rows)


def _weights_type(number: Any) -> Any:
    matrix, vector = types.Array(number, 2, "C"), types.Array(number, 1, "C")
    return types.NamedTuple((matrix, matrix, vector, vector), Weights)

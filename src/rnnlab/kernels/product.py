"""Matrix products of the scans, for one thread.

Matrices are contiguous ``(rows, width)``, ``width`` being the number of columns rounded up to whole vector
registers. The right factor of a product lies in *panels*: ``(inner, width)`` cut into strips as wide as a
tile, each strip contiguous, so that a tile reads one stretch of memory from end to end.
Columns are padded with zeros; ``inner`` is not, so NaN and infinity stay in their own row.
"""

from typing import Any, NamedTuple

from rnnlab.kernels.arena import cut_matrix
from rnnlab.kernels.compiler import compiled
from rnnlab.kernels.tile import TILE_VECTORS, lanes_of, padded, tile, tile_rows
from rnnlab.kernels.vectors import unowned


class Weights(NamedTuple):
    """The parameters of one direction of one layer, or their gradients, as ``nn.RNN`` and its kin have them.

    Attributes:
        inputs: ``(gates * hidden, features)``, PyTorch's ``weight_ih``.
        recurrent: ``(gates * hidden, hidden)``, ``weight_hh``.
        input_bias: ``(gates * hidden,)``, ``bias_ih``.
        recurrent_bias: ``(gates * hidden,)``, ``bias_hh``.
    """

    inputs: Any
    recurrent: Any
    input_bias: Any
    recurrent_bias: Any


class Panels(NamedTuple):
    """The same in the shape that products want, gate by gate.

    Attributes:
        inputs: ``(gates, features * width)`` or, for the way back, ``(gates, hidden * padded features)``.
        recurrent: ``(gates, hidden * width)``.
        input_bias: ``(gates, width)``.
        recurrent_bias: ``(gates, width)``.
    """

    inputs: Any
    recurrent: Any
    input_bias: Any
    recurrent_bias: Any


@compiled
def unowned_panels(panels: Any) -> Any:
    """Return the panels as arrays that nobody counts, see ``vectors.unowned``."""
    return Panels(
        unowned(panels.inputs),
        unowned(panels.recurrent),
        unowned(panels.input_bias),
        unowned(panels.recurrent_bias),
    )


@compiled
def panels_of(arena: Any, weight: Any, gates: int, transposed: bool) -> Any:
    """Cut each gate's weight into the panels of a right factor.

    Args:
        arena: to cut them from.
        weight: ``(gates * units, features)``.
        gates: how many matrices lie in it, one below the other.
        transposed: whether the right factor is a gate's transposed weight ``(features, units)``, as in the
            forward pass, or the weight itself, as on the way back.

    Returns:
        ``(gates, inner * padded columns)``.
    """
    units, features = weight.shape[0] // gates, weight.shape[1]
    inner, columns = (features, units) if transposed else (units, features)
    width = padded(columns, weight)
    strip = lanes_of(weight) * TILE_VECTORS
    panels = cut_matrix(arena, gates, inner * width)
    for gate in range(gates):
        matrix = weight[gate * units : (gate + 1) * units]
        for first in range(0, width, strip):
            wide = min(strip, width - first)
            panel = panels[gate, first * inner : (first + wide) * inner].reshape(inner, wide)
            if transposed:
                _copy_transposed(matrix, first, panel)
            else:
                _copy_columns(matrix, first, panel)
    return panels


@compiled
def _copy_columns(matrix: Any, first: int, panel: Any) -> None:
    """Copy the columns of ``matrix`` from ``first`` to ``panel (rows, wide)``, zeros where there are none."""
    there = min(panel.shape[1], matrix.shape[1] - first)
    for row in range(len(panel)):
        source = matrix[row, first : first + there]  # as first + column could be negative for all numba knows
        for column in range(there):
            panel[row, column] = source[column]
        for column in range(there, panel.shape[1]):
            panel[row, column] = 0


@compiled
def _copy_transposed(matrix: Any, first: int, panel: Any) -> None:
    """Copy the rows of ``matrix`` from ``first`` to the columns of ``panel``, zeros where there are none."""
    there = min(panel.shape[1], len(matrix) - first)
    for top in range(0, len(panel), 64):  # so much of a panel stays in the nearest cache
        part = panel[top : min(top + 64, len(panel))]
        for column in range(there):
            source = matrix[first + column, top : top + len(part)]
            for row in range(len(part)):
                part[row, column] = source[row]
    for row in range(len(panel)):
        for column in range(there, panel.shape[1]):
            panel[row, column] = 0


@compiled
def panels_forward(arena: Any, weights: Any, input_planes: Any, recurrent_planes: Any) -> Any:
    """Return the panels of the forward pass.

    Where a gate's two shares meet in one plane, one bias does for both.
    """
    gates = len(input_planes)
    input_bias = _padded_rows(arena, weights.input_bias, gates)
    recurrent_bias = _padded_rows(arena, weights.recurrent_bias, gates)
    for gate in range(gates):
        if input_planes[gate] == recurrent_planes[gate]:
            for i in range(input_bias.shape[1]):
                input_bias[gate, i] += recurrent_bias[gate, i]
    inputs, recurrent = (
        panels_of(arena, weights.inputs, gates, True),
        panels_of(arena, weights.recurrent, gates, True),
    )
    return Panels(inputs, recurrent, input_bias, recurrent_bias)


@compiled
def panels_back(arena: Any, weights: Any, gates: int) -> Any:
    """Return the panels of the way back, which needs no biases."""
    inputs, recurrent = (
        panels_of(arena, weights.inputs, gates, False),
        panels_of(arena, weights.recurrent, gates, False),
    )
    no_bias = cut_matrix(arena, 0, 0)
    return Panels(inputs, recurrent, no_bias, no_bias)


@compiled
def _padded_rows(arena: Any, bias: Any, gates: int) -> Any:
    """Return ``(gates * units,)`` as ``(gates, width)``, zeros in the padding."""
    units = bias.shape[0] // gates
    width = padded(units, bias)
    rows = cut_matrix(arena, gates, width)
    for gate in range(gates):
        for unit in range(width):
            rows[gate, unit] = bias[gate * units + unit] if unit < units else 0
    return rows


@compiled
def affine(out: Any, bias: Any, left: Any, inner: int, panels: Any) -> None:
    """``out = bias + left @ right``.

    Args:
        out: ``(rows, width)``, written.
        bias: ``(width,)``.
        left: ``(rows, any)``, of which the first ``inner`` columns count.
        inner: rows of the right factor.
        panels: the right factor ``(inner, width)``.
    """
    rows, width = out.shape
    lanes, tall = lanes_of(out), tile_rows(rows)
    for column in range(0, width, lanes * TILE_VECTORS):
        columns = min(lanes * TILE_VECTORS, width - column)
        for row in range(0, rows, tall):
            tile(
                min(tall, rows - row), columns // lanes, inner,
                out, row * width + column, width,
                bias, column, 0,
                left, row * left.shape[1], left.shape[1], 1,
                panels, column * inner, columns,
            )  # fmt: skip


@compiled
def add_product(out: Any, left: Any, inner: int, panels: Any) -> None:
    """``out += left @ right``, see ``affine``."""
    rows, width = out.shape
    lanes, tall = lanes_of(out), tile_rows(rows)
    for column in range(0, width, lanes * TILE_VECTORS):
        columns = min(lanes * TILE_VECTORS, width - column)
        for row in range(0, rows, tall):
            tile(
                min(tall, rows - row), columns // lanes, inner,
                out, row * width + column, width,
                out, row * width + column, width,
                left, row * left.shape[1], left.shape[1], 1,
                panels, column * inner, columns,
            )  # fmt: skip


@compiled
def add_outer(out: Any, left: Any, right: Any) -> None:
    """``out[i, j] += sum over tokens of left[token, i] right[token, j]``: the gradient of a weight.

    Args:
        out: ``(units, width)``.
        left: ``(tokens, any)``, of which the first ``units`` columns count.
        right: ``(tokens, width)``.
    """
    units, width = out.shape
    lanes, tall = lanes_of(out), tile_rows(units)
    for column in range(0, width, lanes * TILE_VECTORS):
        columns = min(lanes * TILE_VECTORS, width - column)
        for row in range(0, units, tall):
            tile(
                min(tall, units - row), columns // lanes, len(left),
                out, row * width + column, width,
                out, row * width + column, width,
                left, row, 1, left.shape[1],
                right, column, width,
            )  # fmt: skip

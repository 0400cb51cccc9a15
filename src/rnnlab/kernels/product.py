"""Matrix products of the scans, for one thread.

Matrices are contiguous ``(rows, width)``, ``width`` being the number of columns rounded up to whole vector
registers. The right factor of a product lies in *panels*: ``(inner, width)`` cut into strips as wide as a
tile, each strip contiguous, so that a tile reads one stretch of memory from end to end (``panels.py``).
Columns are padded with zeros; ``inner`` is not, so NaN and infinity stay in their own row.
"""

from typing import Any

from rnnlab.kernels.compiler import compiled
from rnnlab.kernels.tile import TILE_ROWS, TILE_VECTORS, lanes_of, tile


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
    lanes = lanes_of(out)
    for column in range(0, width, lanes * TILE_VECTORS):
        columns = min(lanes * TILE_VECTORS, width - column)
        for row in range(0, rows, TILE_ROWS):
            tile(
                min(TILE_ROWS, rows - row), columns // lanes, inner,
                out, row * width + column, width,
                bias, column, 0,
                left, row * left.shape[1], left.shape[1], 1,
                panels, column * inner, columns,
            )  # fmt: skip


@compiled
def add_product(out: Any, left: Any, inner: int, panels: Any) -> None:
    """``out += left @ right``, see ``affine``."""
    rows, width = out.shape
    lanes = lanes_of(out)
    for column in range(0, width, lanes * TILE_VECTORS):
        columns = min(lanes * TILE_VECTORS, width - column)
        for row in range(0, rows, TILE_ROWS):
            tile(
                min(TILE_ROWS, rows - row), columns // lanes, inner,
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
    lanes = lanes_of(out)
    for column in range(0, width, lanes * TILE_VECTORS):
        columns = min(lanes * TILE_VECTORS, width - column)
        for row in range(0, units, TILE_ROWS):
            tile(
                min(TILE_ROWS, units - row), columns // lanes, len(left),
                out, row * width + column, width,
                out, row * width + column, width,
                left, row, 1, left.shape[1],
                right, column, width,
            )  # fmt: skip

"""How the rows of a batch are shared out: sorted by length, in blocks that one thread walks together.

Within a block, longer rows come first, so those still running at a step are always the first few, and
tokens are numbered step by step with no gap, as in a ``PackedSequence``::

    lengths 3 2 1      step 0: tokens 0 1 2    step 1: tokens 3 4    step 2: token 5

Blocks depend on the batch and on the machine's number of cores, not on the number of threads: a weight's
gradient is summed block by block in order, so it comes out the same, bit for bit, on any number of threads.
"""

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.kernels.compiler import compiled

Integers = npt.NDArray[np.int64]

_CORES = os.cpu_count() or 1


class Rows(NamedTuple):
    """The order in which the rows of a batch are walked.

    Attributes:
        order: ``(batch,)`` row numbers, longest first.
        lengths: ``(batch,)`` their lengths, in that order.
        blocks: ``(blocks + 1,)`` where each block begins in ``order``, and the end.
        tokens: ``(blocks + 1,)`` tokens before each block, and in all.
    """

    order: Integers
    lengths: Integers
    blocks: Integers
    tokens: Integers


def rows_of(lengths: Integers) -> Rows:
    """Share out rows of these ``lengths`` ``(batch,)``."""
    order = np.argsort(-lengths, kind="stable")
    in_order = lengths[order]
    blocks = np.arange(_blocks(in_order) + 1, dtype=np.int64)
    blocks = blocks * len(lengths) // blocks[-1]
    return Rows(order, in_order, blocks, np.concatenate(([0], np.cumsum(in_order)))[blocks])


def _blocks(lengths: Integers) -> int:
    """Return how many blocks to make of rows of these lengths, longest first.

    A step's weights are read once for all rows of a block, so blocks should be large, up to the sixteen rows
    of two register tiles; but every core needs one, and where lengths differ much the cores need more and
    smaller ones to end at the same time. Each block has weight gradients of its own, so a large batch gets
    larger blocks rather than ever more of them.
    """
    batch, cores = len(lengths), _CORES
    is_ragged = lengths[-1] < 0.75 * lengths[0]
    rows = max(8 if is_ragged else 16, -(-batch // max(32, 2 * cores)))
    wanted = max(-(-batch // rows), min((2 if is_ragged else 1) * cores, -(-batch // 4)))
    return min(batch, -(-wanted // cores) * cores) if wanted > cores else wanted


@compiled
def running(lengths: Any, first: int, last: int, step: int) -> int:
    """Return how many rows of the block ``first..last`` have more than ``step`` tokens."""
    count = last - first
    while count > 0 and lengths[first + count - 1] <= step:
        count -= 1
    return count


@compiled
def time_of(step: int, length: int, reverse: bool) -> int:
    """Return the position of the token that a row of this length reads at this step."""
    return length - 1 - step if reverse else step


@compiled
def largest_block(rows: Any) -> int:
    """Return the number of rows of the largest block."""
    most = 1
    for block in range(len(rows.blocks) - 1):
        most = max(most, rows.blocks[block + 1] - rows.blocks[block])
    return most

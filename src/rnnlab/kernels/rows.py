"""How the rows of a batch are shared out: sorted by length, in blocks that one thread walks together.

Within a block, longer rows come first, so those still running at a step are always the first few, and
tokens are numbered step by step with no gap, as in a ``PackedSequence``::

    lengths 3 2 1      step 0: tokens 0 1 2    step 1: tokens 3 4    step 2: token 5

Blocks depend on the batch and on the machine's number of cores, not on the number of threads: a weight's
gradient is summed block by block in order, so it comes out the same, bit for bit, on any number of threads.

Between the batch as the user has it and the tokens of a block as the walk numbers them.

Everywhere, ``rows`` is the order of the batch (``Rows``), ``first`` and ``last`` bound a block in it,
and ``active`` is the number of the block's rows that still run at a ``step``.
"""

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.kernels.compiler import compiled
from rnnlab.kernels.vectors import add_row, copy_row, flat, place, place_in_matrix, unowned

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
def unowned_rows(rows: Any) -> Any:
    """Return the rows as arrays that nobody counts, see ``vectors.unowned``."""
    return Rows(unowned(rows.order), unowned(rows.lengths), unowned(rows.blocks), unowned(rows.tokens))


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


@compiled
def take(
    rows: Any, first: int, active: int, step: int, inputs: Any, tokens: Any, at: int, reverse: bool
) -> None:
    """Copy what the active rows of ``inputs (batch, time, features)`` read at a step to ``tokens``."""
    for row in range(active):
        number = rows.order[first + row]
        time = time_of(step, rows.lengths[first + row], reverse)
        copy_row(place_in_matrix(tokens, at + row), place(inputs, number, time), inputs.shape[2], tokens)


@compiled
def take_chunk(
    rows: Any, first: int, active: int, begin: int, inputs: Any, tokens: Any, reverse: bool
) -> Any:
    """Fill ``tokens`` with as many whole steps as it has rows for; return the next step and the count."""
    step, count = begin, 0
    while step < rows.lengths[first]:
        active = running(rows.lengths, first, first + active, step)
        if count + active > len(tokens):
            break
        take(rows, first, active, step, inputs, tokens, count, reverse)
        step, count = step + 1, count + active
    return step, count


@compiled
def enter(rows: Any, first: int, last: int, start: Any, states: Any, at: int) -> None:
    """Copy a block's initial states ``(S, batch, hidden)`` to ``states`` from row ``at``."""
    hidden, width = start.shape[2], states.shape[2]
    for state in range(len(start)):
        for row in range(last - first):
            for unit in range(hidden):
                states[state, at + row, unit] = start[state, rows.order[first + row], unit]
            for unit in range(hidden, width):
                states[state, at + row, unit] = 0


@compiled
def leave(
    rows: Any,
    first: int,
    active: int,
    step: int,
    states: Any,
    after: int,
    outputs: Any,
    final: Any,
    reverse: bool,
) -> None:
    """Copy the states after a step to the outputs and, where a row ends, to the final states."""
    hidden = outputs.shape[2]
    for row in range(active):
        number, length = rows.order[first + row], rows.lengths[first + row]
        time = time_of(step, length, reverse)
        copy_row(place(outputs, number, time), place(states, 0, after + row), hidden, states)
        if step == length - 1:
            for state in range(len(final)):
                for unit in range(hidden):
                    final[state, number, unit] = states[state, after + row, unit]


@compiled
def join(
    rows: Any, first: int, earlier: int, active: int, step: int, final_slope: Any, outputs_slope: Any,
    flowing: Any, reverse: bool,
) -> None:  # fmt: skip
    """Add to ``flowing`` what comes from outside at this step: from final states, and from the outputs.

    Rows from ``earlier`` on join the walk here, at their last token.
    """
    hidden = final_slope.shape[2]
    for row in range(earlier, active):
        for state in range(len(final_slope)):
            for unit in range(hidden):
                flowing[state, row, unit] = final_slope[state, rows.order[first + row], unit]
    if len(outputs_slope) > 0:
        for row in range(active):
            number = rows.order[first + row]
            time = time_of(step, rows.lengths[first + row], reverse)
            add_row(place(flowing, 0, row), place(outputs_slope, number, time), hidden, flowing)


@compiled
def give_chunk(
    rows: Any, first: int, last: int, begin: int, end: int, tokens: Any, inputs_slope: Any, reverse: bool
) -> None:
    """Copy ``tokens``, which are numbered from step ``end - 1`` down to ``begin``, to the batch."""
    count = 0
    for step in range(end - 1, begin - 1, -1):
        active = running(rows.lengths, first, last, step)
        for row in range(active):
            number = rows.order[first + row]
            time = time_of(step, rows.lengths[first + row], reverse)
            source = place_in_matrix(tokens, count + row)
            copy_row(place(inputs_slope, number, time), source, inputs_slope.shape[2], tokens)
        count += active


@compiled
def clear_padding(rows: Any, first: int, last: int, batch: Any) -> None:
    """Write zeros behind the ends of a block's rows of ``batch (batch, time, size)``."""
    for row in range(first, last):
        clear(batch[rows.order[row], rows.lengths[row] :])


@compiled
def clear(matrix: Any) -> None:
    """Write zeros all over ``(rows, columns)``."""
    numbers = flat(matrix)
    for i in range(len(numbers)):
        numbers[i] = 0

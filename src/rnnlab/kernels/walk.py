"""The walk along time that all cells share: one block of rows, one thread, no waiting for others.

A cell says what happens in one step (``rnn.py``, ``gru.py``, ``lstm.py``); this module brings it the tokens
and takes the results away. Tokens are dealt with in chunks small enough to stay in the processor's cache: the
inputs' share of the gates, in which there is no recurrence, is one product for the whole chunk. Padding is
never touched: a row stops at its own end.

Two arrays hold what the way back needs; ``width`` is the number of hidden units rounded up to whole vector
registers:

* ``planes (P, tokens, width)``: what a cell keeps of each token, its gates above all; tokens are numbered as
  in ``rows.py``.
* ``states (S, tokens + batch, width)``: the states after each token (``h``; for the LSTM ``c`` too). Each
  block begins with its rows' initial states, so "before the first token" is a place like any other.

Asking for memory before it is needed.

Processors guess from rising addresses what will be read next; on the way back through time addresses fall,
and the walk would wait for each step's data. So it asks for the next step's while it computes this one
(measured with 32 units: 1.6 times as fast once the data exceed the second-level cache).

The walk back: backpropagation through time (Werbos 1990), written out.

What each step computed was kept. From each row's last token to its first, the gradient of the
loss by the state after a step becomes, through the cell's own derivatives, the gradient by the state before
it; the gates' gradients that are met on the way give, once a chunk of steps is done, those of the inputs,
the weights and the biases, each as one product over all tokens of the chunk.

Here a *slope* is the gradient of the loss by something: ``h_slope`` is dL/dh.
"""

from typing import Any, NamedTuple

from rnnlab.kernels.arena import cut_cube, cut_matrix, unowned_arena
from rnnlab.kernels.compiler import compiled, compiled_for
from rnnlab.kernels.product import add_outer, add_product, affine, unowned_panels
from rnnlab.kernels.rows import (
    clear,
    clear_padding,
    enter,
    give_chunk,
    join,
    largest_block,
    leave,
    running,
    take,
    take_chunk,
    time_of,
    unowned_rows,
)
from rnnlab.kernels.team import claim
from rnnlab.kernels.tile import padded
from rnnlab.kernels.vectors import LINE, flat, place, prefetch, unowned


@compiled
def prefetch_matrix(matrices: Any, first: int, last: int) -> None:
    """Ask for rows ``first`` to ``last`` of each of ``matrices (matrices, rows, width)``."""
    for matrix in range(len(matrices)):
        for address in range(place(matrices, matrix, first), place(matrices, matrix, last), LINE):
            prefetch(address)


@compiled
def prefetch_tokens(rows: Any, first: int, active: int, step: int, batch: Any, reverse: bool) -> None:
    """Ask for what the active rows of ``batch (batch, time, size)`` have at a step."""
    size = batch.shape[2] * batch.itemsize
    for row in range(active):
        time = time_of(step, rows.lengths[first + row], reverse)
        begin = place(batch, rows.order[first + row], time)
        for address in range(begin, begin + size, LINE):
            prefetch(address)


CHUNK = 128
"""Tokens of a chunk, of several steps of one block."""


class Step(NamedTuple):
    """Where one step of a block lies.

    Attributes:
        active: the block's rows that run at this step, always its first.
        token: the first row of ``planes``.
        before: the first row of ``states`` that is read.
        after: the first row of ``states`` that is written.
        slot: on the way back, the first row of the planes' gradients.
    """

    active: int
    token: int
    before: int
    after: int
    slot: int


def forward_walk(name: str, step: Any, input_planes: tuple[int, ...]) -> Any:
    """Return the compiled walk of one cell.

    Args:
        name: of the cell.
        step: ``step(planes, states, here, hidden, panels)`` computes one ``Step``. The planes named by
            ``input_planes`` hold the inputs' share of the gates.
        input_planes: the plane of each gate.

    Returns:
        ``walk(arena, counter, rows, inputs, start, panels, outputs, final, planes, states, reverse)``, which
        walks block after block, as long as there is one that no other thread has claimed:

        * ``arena``: see ``arena.Arena``; ``counter (1,)``: blocks claimed so far; ``rows``: see
          ``rows.Rows``.
        * ``inputs (batch, time, features)``, ``start (S, batch, hidden)``, ``panels``: see ``Panels``.
        * ``outputs (batch, time, hidden)``: written, zeros in the padding.
        * ``final (S, batch, hidden)``: written, the states after each row's last token.
        * ``planes``, ``states``: written for the way back; either without tokens if it is not needed there.
        * ``reverse``: whether rows are read from their end.
    """

    @compiled_for(name)
    def walk(
        arena: Any, counter: Any, rows: Any, inputs: Any, start: Any, panels: Any, outputs: Any,
        final: Any, kept_planes: Any, kept_states: Any, reverse: bool,
    ) -> None:  # fmt: skip
        arena, rows, panels = unowned_arena(arena), unowned_rows(rows), unowned_panels(panels)
        inputs, start, outputs, final = unowned(inputs), unowned(start), unowned(outputs), unowned(final)
        kept_planes, kept_states = unowned(kept_planes), unowned(kept_states)
        features, hidden = inputs.shape[2], start.shape[2]
        width = padded(hidden, inputs)
        most = largest_block(rows)
        room = max(CHUNK, most)
        tokens = cut_matrix(arena, room, features)
        planes, states = kept_planes, kept_states
        keep_planes, keep_states = kept_planes.shape[1] > 0, kept_states.shape[1] > 0
        if not keep_planes:
            planes = cut_cube(arena, len(planes), room, width)
        if not keep_states:
            states = cut_cube(arena, len(states), room + most, width)
        while True:
            block = claim(counter, 1)
            if block >= len(rows.blocks) - 1:
                break
            first, last = rows.blocks[block], rows.blocks[block + 1]
            token = rows.tokens[block] if keep_planes else 0
            before = rows.tokens[block] + first if keep_states else 0
            after = before + last - first
            enter(rows, first, last, start, states, before)
            time, active = 0, last - first
            while time < rows.lengths[first]:
                end, count = take_chunk(rows, first, active, time, inputs, tokens, reverse)
                for gate in range(len(input_planes)):
                    share = planes[input_planes[gate], token : token + count]
                    affine(share, panels.input_bias[gate], tokens, features, panels.inputs[gate])
                while time < end:
                    active = running(rows.lengths, first, first + active, time)
                    step(planes, states, Step(active, token, before, after, 0), hidden, panels)
                    leave(rows, first, active, time, states, after, outputs, final, reverse)
                    time, token, before, after = time + 1, token + active, after, after + active
                if not keep_planes:
                    token = 0
                if not keep_states:
                    _back_to_top(states, before, active)
                    before, after = 0, most
            clear_padding(rows, first, last, outputs)

    return walk


@compiled
def _back_to_top(states: Any, before: int, active: int) -> None:
    """Move the states that the next step reads to the first rows, so that the room is free again."""
    for state in range(len(states)):
        for row in range(active):
            for unit in range(states.shape[2]):
                states[state, row, unit] = states[state, before + row, unit]


class Slopes(NamedTuple):
    """Gradients that come in and go out.

    Attributes:
        outputs: ``(batch, time, hidden)``, read; without rows if nothing depends on the outputs.
        final: ``(S, batch, hidden)``, read.
        inputs: ``(batch, time, features)``, written; without rows if nobody asks.
        start: ``(S, batch, hidden)``, written.
    """

    outputs: Any
    final: Any
    inputs: Any
    start: Any


class Sums(NamedTuple):
    """Gradients of the weights and biases, block by block, written; without blocks if nobody asks.

    Attributes:
        inputs: ``(blocks, gates * hidden, padded features)``.
        recurrent: ``(blocks, gates * hidden, width)``.
        planes: ``(blocks, P, width)``: those of the biases, which are the sums of the planes' slopes.
    """

    inputs: Any
    recurrent: Any
    planes: Any


def backward_walk(
    name: str, step_back: Any, input_planes: tuple[int, ...], recurrent_planes: tuple[int, ...]
) -> Any:
    """Return the compiled walk back of one cell.

    Args:
        name: of the cell.
        step_back: ``step_back(planes, states, slopes, flowing, here, hidden, panels)`` goes back over one
            ``Step``: from ``flowing (S, rows, width)``, the slopes of the states after it, to those of the
            states before it; on the way it writes the planes' slopes, from row ``here.slot``.
        input_planes: the planes through which the gates depend on the inputs.
        recurrent_planes: the planes through which they depend on the state.

    Returns:
        ``walk(arena, counter, rows, inputs, panels, planes, states, slopes, sums, reverse)`` with ``Slopes``
        and ``Sums``, the rest as in ``forward_walk``.
    """

    @compiled_for(name)
    def walk(
        arena: Any, counter: Any, rows: Any, inputs: Any, panels: Any, planes: Any, states: Any,
        slopes: Any, sums: Any, reverse: bool,
    ) -> None:  # fmt: skip
        arena, rows, panels = unowned_arena(arena), unowned_rows(rows), unowned_panels(panels)
        inputs, planes, states = unowned(inputs), unowned(planes), unowned(states)
        slopes = Slopes(
            unowned(slopes.outputs), unowned(slopes.final), unowned(slopes.inputs), unowned(slopes.start)
        )
        sums = Sums(unowned(sums.inputs), unowned(sums.recurrent), unowned(sums.planes))
        hidden, width = slopes.start.shape[2], planes.shape[2]
        tokens_width = padded(inputs.shape[2], inputs)
        most = largest_block(rows)
        room = max(CHUNK, most)
        tokens = cut_matrix(arena, room, tokens_width)
        previous = cut_matrix(arena, room, width)
        planes_slope = cut_cube(arena, len(planes), room, width)
        ones = cut_matrix(arena, room, 1)
        ones.fill(1)
        flowing = cut_cube(arena, len(states), most, width)
        while True:
            block = claim(counter, 1)
            if block >= len(rows.blocks) - 1:
                break
            first, last = rows.blocks[block], rows.blocks[block + 1]
            token = rows.tokens[block + 1]
            for state in range(len(flowing)):
                clear(flowing[state])
            if len(sums.planes) > 0:
                clear(sums.inputs[block])
                clear(sums.recurrent[block])
                clear(sums.planes[block])
            time, active = rows.lengths[first], 0
            while time > 0:
                end, count = time, 0
                while time > 0 and count + running(rows.lengths, first, last, time - 1) <= room:
                    time, earlier = time - 1, active
                    active = running(rows.lengths, first, last, time)
                    token -= active
                    after = token + last  # initial states of this block and of those before it come first
                    coming = running(rows.lengths, first, last, time - 1) if time > 0 else last - first
                    before = after - coming
                    join(rows, first, earlier, active, time, slopes.final, slopes.outputs, flowing, reverse)
                    take(rows, first, active, time, inputs, tokens, count, reverse)
                    _copy(states[0, before : before + active], previous[count : count + active])
                    if time > 0:
                        if planes.shape[1] > 0:
                            prefetch_matrix(planes, token - coming, token)
                        prefetch_matrix(states, before - coming, before)
                        prefetch_tokens(rows, first, coming, time - 1, inputs, reverse)
                        if len(slopes.outputs) > 0:
                            prefetch_tokens(rows, first, coming, time - 1, slopes.outputs, reverse)
                    here = Step(active, token, before, after, count)
                    step_back(planes, states, planes_slope, flowing, here, hidden, panels)
                    count += active
                if len(sums.planes) > 0:
                    add_weights(sums, block, planes_slope, tokens[:count], previous[:count], ones, hidden)
                if len(slopes.inputs) > 0:
                    inputs_back(planes_slope, panels, hidden, tokens[:count])
                    give_chunk(rows, first, last, time, end, tokens, slopes.inputs, reverse)
            for state in range(len(flowing)):
                for row in range(first, last):
                    for unit in range(hidden):
                        slopes.start[state, rows.order[row], unit] = flowing[state, row - first, unit]
            if len(slopes.inputs) > 0:
                clear_padding(rows, first, last, slopes.inputs)

    @compiled_for(name)
    def add_weights(
        sums: Any, block: int, planes_slope: Any, tokens: Any, previous: Any, ones: Any, hidden: int
    ) -> None:
        """A weight's gradient: its gate's slope times what it was multiplied with, summed over tokens."""
        count = len(tokens)
        for gate in range(len(input_planes)):
            units = slice(gate * hidden, (gate + 1) * hidden)
            add_outer(sums.inputs[block, units], planes_slope[input_planes[gate], :count], tokens)
            add_outer(sums.recurrent[block, units], planes_slope[recurrent_planes[gate], :count], previous)
        for plane in range(len(planes_slope)):
            add_outer(sums.planes[block, plane : plane + 1], ones[:count], planes_slope[plane, :count])

    @compiled_for(name)
    def inputs_back(planes_slope: Any, panels: Any, hidden: int, tokens: Any) -> None:
        """The inputs' slope: the gates' slopes times their weights; it replaces the inputs in ``tokens``."""
        clear(tokens)
        for gate in range(len(input_planes)):
            add_product(tokens, planes_slope[input_planes[gate], : len(tokens)], hidden, panels.inputs[gate])

    return walk


@compiled
def _copy(source: Any, target: Any) -> None:
    flat_source, flat_target = flat(source), flat(target)
    for i in range(len(flat_source)):
        flat_target[i] = flat_source[i]

"""The walk back: backpropagation through time (Werbos 1990), written out.

What each step computed was kept (``walk.py``). From each row's last token to its first, the gradient of the
loss by the state after a step becomes, through the cell's own derivatives, the gradient by the state before
it; the gates' gradients that are met on the way give, once a chunk of steps is done, those of the inputs,
the weights and the biases, each as one product over all tokens of the chunk.

Here a *slope* is the gradient of the loss by something: ``h_slope`` is dL/dh.
"""

from typing import Any, NamedTuple

from rnnlab.kernels.arena import cut_cube, cut_matrix
from rnnlab.kernels.compiler import compiled, compiled_for
from rnnlab.kernels.prefetch import prefetch_matrix, prefetch_tokens
from rnnlab.kernels.product import add_outer, add_product
from rnnlab.kernels.rows import largest_block, running
from rnnlab.kernels.team import claim
from rnnlab.kernels.tile import padded
from rnnlab.kernels.traffic import clear, clear_padding, flat, give_chunk, join, take
from rnnlab.kernels.walk import CHUNK, Step


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

"""The walk along time that all cells share: one block of rows, one thread, no waiting for others.

A cell says what happens in one step (``rnn.py``, ``gru.py``, ``lstm.py``); this module brings it the tokens
and takes the results away. Tokens are dealt with in chunks small enough to stay in the processor's cache: the
inputs' share of the gates, in which there is no recurrence, is one product for the whole chunk. Padding is
never touched: a row stops at its own end. ``walk_back.py`` is the way back.

Two arrays hold what the way back needs; ``width`` is the number of hidden units rounded up to whole vector
registers:

* ``planes (P, tokens, width)``: what a cell keeps of each token, its gates above all; tokens are numbered as
  in ``rows.py``.
* ``states (S, tokens + batch, width)``: the states after each token (``h``; for the LSTM ``c`` too). Each
  block begins with its rows' initial states, so "before the first token" is a place like any other.
"""

from typing import Any, NamedTuple

from rnnlab.kernels.arena import cut_cube, cut_matrix
from rnnlab.kernels.compiler import compiled, compiled_for
from rnnlab.kernels.product import affine
from rnnlab.kernels.rows import largest_block, running
from rnnlab.kernels.team import claim
from rnnlab.kernels.tile import padded
from rnnlab.kernels.traffic import clear_padding, enter, leave, take_chunk

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

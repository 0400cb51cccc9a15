"""The textbook cells, one step at a time in plain autograd, from a network's own parameters.

The fused kernels of ``nn.RNN``, ``nn.LSTM``, ``nn.GRU`` and of :mod:`rnnlab.kernels` keep their hidden states
to themselves; here every state is a tensor of its own, with a gradient of its own. Slow, and exact.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor

from rnnlab.diagnostics.trace import EncoderTrace, LayerTrace, check_trace, check_traceable
from rnnlab.models.encoder import RecurrentEncoder
from rnnlab.models.regularised import RegularisedEncoder
from rnnlab.models.scans import State, Weights


class Step(NamedTuple):
    """What one step of a cell computes, each ``(batch, hidden)``.

    Attributes:
        hidden: the new hidden state ``h``.
        memory: the new memory cell ``c``; None where the cell has none.
        gates: by name, between 0 and 1.
        squashed: what came out of a tanh, by name.
    """

    hidden: Tensor
    memory: Tensor | None
    gates: Mapping[str, Tensor]
    squashed: Mapping[str, Tensor]


Cell = Callable[[Tensor, Tensor, Tensor | None, Tensor, Tensor], Step]
"""``(W_ih x + b_ih, h, c, W_hh, b_hh) -> Step``."""


def tanh_step(given: Tensor, hidden: Tensor, _: Tensor | None, weight: Tensor, bias: Tensor) -> Step:
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`` (Elman 1990)."""
    new = torch.tanh(given + hidden @ weight.T + bias)
    return Step(new, None, {}, {"hidden": new})


def relu_step(given: Tensor, hidden: Tensor, _: Tensor | None, weight: Tensor, bias: Tensor) -> Step:
    """``h' = max(0, W_ih x + b_ih + W_hh h + b_hh)``."""
    return Step(torch.relu(given + hidden @ weight.T + bias), None, {}, {})


def linear_step(given: Tensor, hidden: Tensor, _: Tensor | None, weight: Tensor, bias: Tensor) -> Step:
    """``h' = W_ih x + b_ih + W_hh h + b_hh``: what the theory of vanishing gradients begins with."""
    return Step(given + hidden @ weight.T + bias, None, {}, {})


def gru_step(given: Tensor, hidden: Tensor, _: Tensor | None, weight: Tensor, bias: Tensor) -> Step:
    """Cho et al. 2014 as PyTorch has it: ``r``, ``z``, ``n`` and ``h' = (1 - z) n + z h``."""
    given_r, given_z, given_n = given.chunk(3, dim=1)
    own_r, own_z, own_n = (hidden @ weight.T + bias).chunk(3, dim=1)
    reset, update = torch.sigmoid(given_r + own_r), torch.sigmoid(given_z + own_z)
    candidate = torch.tanh(given_n + reset * own_n)
    new = (1 - update) * candidate + update * hidden
    return Step(new, None, {"reset": reset, "update": update}, {"candidate": candidate})


def lstm_step(given: Tensor, hidden: Tensor, memory: Tensor | None, weight: Tensor, bias: Tensor) -> Step:
    """Hochreiter and Schmidhuber 1997 with Gers's forget gate: ``c' = f c + i g``, ``h' = o tanh(c')``."""
    assert memory is not None
    enter, forget, candidate, leave = (given + hidden @ weight.T + bias).chunk(4, dim=1)
    gates = {"input": torch.sigmoid(enter), "forget": torch.sigmoid(forget), "output": torch.sigmoid(leave)}
    candidate = torch.tanh(candidate)
    new = gates["forget"] * memory + gates["input"] * candidate
    shown = torch.tanh(new)
    return Step(gates["output"] * shown, new, gates, {"candidate": candidate, "memory": shown})


CELLS: dict[str, Cell] = {
    "tanh": tanh_step,
    "relu": relu_step,
    "linear": linear_step,
    "gru": gru_step,
    "lstm": lstm_step,
}
BLOCKS = {
    "gru": ("reset", "update", "candidate"),
    "lstm": ("input", "forget", "candidate", "output"),
}
"""The names of the square blocks of ``W_hh``, from top to bottom; the other cells have one."""


def unrolled(
    kind: str,
    inputs: Tensor,
    lengths: Tensor | None,
    weights: Weights,
    *,
    reverse: bool = False,
    state: State | None = None,
    name: str = "layer1",
) -> tuple[Tensor, LayerTrace]:
    """Walk one layer in one direction.

    Args:
        kind: "tanh", "relu", "linear", "gru" or "lstm".
        inputs: ``(batch, time, input)``; what it holds behind a sequence's end changes nothing.
        lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        weights: ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh`` as PyTorch has them.
        reverse: read each sequence from its end.
        state: before the first token, ``(batch, hidden)`` or a pair of it; None means zeros.
        name: of the layer.

    Returns:
        Outputs ``(batch, time, hidden)``, zero in the padding, and what happened on the way. In the padding a
        state stays what it was.
    """
    time = inputs.shape[1]
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    is_real = None
    if lengths is not None and int(lengths.min()) < time:
        is_real = torch.arange(time, device=inputs.device) < lengths.to(inputs.device).unsqueeze(1)
        inputs = inputs.masked_fill(~is_real.unsqueeze(2), 0)
    given = (inputs @ weight_ih.T + bias_ih).unbind(dim=1)
    hidden, memory = _first_state(state, kind, inputs, weight_hh)
    steps: dict[int, Step] = {}
    for t in reversed(range(time)) if reverse else range(time):
        new = CELLS[kind](given[t], hidden, memory, weight_hh, bias_hh)
        if is_real is not None:
            now = is_real[:, t].unsqueeze(1)
            kept = None if memory is None else torch.where(now, cast(Tensor, new.memory), memory)
            new = new._replace(hidden=torch.where(now, new.hidden, hidden), memory=kept)
        hidden, memory = new.hidden, new.memory
        steps[t] = new
    in_order = [steps[t] for t in range(time)]
    first = in_order[0]
    trace = LayerTrace(
        name=name,
        reads_backwards=reverse,
        hidden=[step.hidden for step in in_order],
        memory=None if memory is None else [cast(Tensor, step.memory) for step in in_order],
        gates={gate: _over_time([step.gates[gate] for step in in_order]) for gate in first.gates},
        squashed={unit: _over_time([step.squashed[unit] for step in in_order]) for unit in first.squashed},
        recurrent=dict(
            zip(
                BLOCKS.get(kind, ("hidden",)),
                torch.split(weight_hh.detach(), weight_hh.shape[1]),
                strict=True,
            )
        ),
    )
    outputs = torch.stack(trace.hidden, dim=1)  # type: ignore[arg-type]
    return outputs if is_real is None else outputs.masked_fill(~is_real.unsqueeze(2), 0), trace


def traced(encoder: object, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
    """Encode a batch as ``encoder`` does in evaluation mode, from the zero state, and show every state.

    rnnlab's own encoders are walked in float64, so that gradients far below what float32 can hold are still
    told apart (float32 on Apple's GPUs, which have nothing finer).

    Args:
        encoder: a ``RecurrentEncoder``, a ``RegularisedEncoder``, or one with a ``trace`` of its own.
        inputs: ``(batch, time, input_size)``.
        lengths: ``(batch,)``; None where every sequence fills the time axis.

    Raises:
        ConfigError: if the encoder does not show its states, see :class:`rnnlab.diagnostics.trace.Traceable`.
    """
    check_traceable(encoder)
    if isinstance(encoder, RecurrentEncoder):
        outputs, layers = _walk(encoder, _fine(inputs).requires_grad_(), lengths, first=1)
        return EncoderTrace(outputs, layers)
    if isinstance(encoder, RegularisedEncoder):
        outputs, layers = _fine(inputs).requires_grad_(), []
        for number, layer in enumerate(encoder.layers, start=1):
            outputs, found = _walk(cast(RecurrentEncoder, layer), outputs, lengths, first=number)
            layers += found
        return EncoderTrace(outputs, layers)
    given = inputs.detach().clone().requires_grad_()
    return check_trace(encoder.trace(given, lengths), given)  # type: ignore[attr-defined]


def _walk(
    encoder: RecurrentEncoder, inputs: Tensor, lengths: Tensor | None, first: int
) -> tuple[Tensor, list[LayerTrace]]:
    """Walk an encoder's layers, the first of which has the number ``first``."""
    kind = encoder.nonlinearity if encoder.cell == "rnn" else encoder.cell
    outputs, traces = inputs, []
    for layer in range(encoder.layers):
        directions = []
        for direction in range(encoder.directions):
            name = f"layer{first + layer}"
            if encoder.is_bidirectional:
                name += "/backward" if direction else "/forward"
            weights = encoder.network.all_weights[layer * encoder.directions + direction]
            fine = cast(Weights, tuple(_fine(weight) for weight in weights))
            output, trace = unrolled(kind, outputs, lengths, fine, reverse=direction == 1, name=name)
            directions.append(output)
            traces.append(trace)
        outputs = torch.cat(directions, dim=2)
    return outputs, traces


def _fine(tensor: Tensor) -> Tensor:
    """Return a copy apart from autograd in the finest type that the device has."""
    kind = torch.float32 if tensor.device.type == "mps" else torch.float64
    return tensor.detach().to(kind, copy=True)


def _first_state(
    state: State | None, kind: str, inputs: Tensor, weight_hh: Tensor
) -> tuple[Tensor, Tensor | None]:
    if isinstance(state, tuple):
        return state
    zeros = inputs.new_zeros(inputs.shape[0], weight_hh.shape[1])
    return zeros if state is None else state, zeros if kind == "lstm" else None


def _over_time(values: list[Tensor]) -> Tensor:
    return torch.stack([value.detach() for value in values], dim=1)

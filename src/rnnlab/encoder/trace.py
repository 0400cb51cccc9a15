"""What an encoder shows of itself, step by step: the contract that diagnostics ask for.

Kernels that walk a whole batch keep their hidden states to themselves; here every state is a tensor of its
own, with a gradient of its own. Slow, and exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from rnnlab.cells.cell import Cell, Weights
from rnnlab.encoder.scans import StepScans
from rnnlab.errors import ConfigError


@dataclass(frozen=True)
class LayerTrace:
    """One layer in one direction, at every position of a batch.

    Attributes:
        name: what to call it in figures: ``layer1``, or ``layer1/forward`` and ``layer1/backward``.
        reads_backwards: whether it reads each sequence from its end.
        hidden: the hidden state at each position of the time axis, ``(batch, hidden)`` each. They must be the
            very tensors that the outputs were computed from, so that autograd finds them.
        memory: the state called ``memory`` (the LSTM's ``c``) likewise; None where there is none.
        gates: values of the gates, between 0 and 1, by name, ``(batch, time, hidden)``.
        squashed: values of the tanh units, between -1 and 1, by name, ``(batch, time, hidden)``.
        recurrent: the square matrices that take the state to the next step, by name.
    """

    name: str
    reads_backwards: bool
    hidden: Sequence[Tensor]
    memory: Sequence[Tensor] | None = None
    gates: Mapping[str, Tensor] = field(default_factory=dict)
    squashed: Mapping[str, Tensor] = field(default_factory=dict)
    recurrent: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class EncoderTrace:
    """A pass over a batch with everything in it to be seen.

    Attributes:
        outputs: ``(batch, time, output_size)``, equal to what the encoder returns in evaluation mode.
        layers: every layer and direction; what is lacking is measured nowhere, the states excepted.
    """

    outputs: Tensor
    layers: Sequence[LayerTrace]


@runtime_checkable
class Traceable(Protocol):
    """An encoder that shows its states, such as one of your own::

    class MyEncoder(nn.Module):
        def trace(self, inputs, lengths=None):
            states, hidden = [], self.initial_state(len(inputs))
            for t in range(inputs.shape[1]):
                hidden = ...                         # one step in plain autograd
                states.append(hidden)
            layer = LayerTrace("layer1", reads_backwards=False, hidden=states)
            return EncoderTrace(torch.stack(states, dim=1), [layer])
    """

    def trace(self, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
        """Encode ``inputs`` ``(batch, time, input_size)`` as ``forward`` does, and show the states.

        Args:
            inputs: right-padded sequences, in the type of the encoder's parameters.
            lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        """
        ...


def check_traceable(encoder: object) -> None:
    """Check that diagnostics can look into an encoder.

    Raises:
        ConfigError: if it shows no states; says what it must have.
    """
    if not isinstance(encoder, Traceable):
        name = type(encoder).__name__
        raise ConfigError(
            f"callbacks=diagnostics can't look into {name}: it does not show its hidden states. Give it a "
            "method trace(inputs, lengths=None) that walks the batch step by step in plain autograd and "
            "returns an EncoderTrace(outputs, [LayerTrace(name, reads_backwards, hidden)]), hidden being the "
            "list of states (batch, hidden) at each position (see rnnlab.encoder.trace.Traceable), or "
            "train with callbacks=default."
        )


def check_trace(trace: object, inputs: Tensor) -> EncoderTrace:
    """Return what an encoder's ``trace`` returned, if it is what it should be.

    Raises:
        ConfigError: naming what is wrong with it.
    """
    wrong = None
    if not isinstance(trace, EncoderTrace):
        wrong = f"returned a {type(trace).__name__}, not an EncoderTrace"
    elif not trace.layers:
        wrong = "shows no layer"
    else:
        for layer in trace.layers:
            shapes = {tuple(state.shape[:1]) for state in layer.hidden}
            if len(layer.hidden) != inputs.shape[1] or shapes != {(inputs.shape[0],)}:
                wrong = (
                    f"shows {len(layer.hidden)} hidden states in {layer.name} for {inputs.shape[1]} "
                    f"positions of {inputs.shape[0]} sequences; expected one (batch, hidden) for each"
                )
            elif not all(state.requires_grad for state in layer.hidden):
                wrong = f"shows hidden states in {layer.name} that are cut off from autograd"
    if wrong is not None:
        raise ConfigError(f"callbacks=diagnostics: the encoder's trace {wrong}.")
    assert isinstance(trace, EncoderTrace)
    return trace


def traced(encoder: object, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
    """Encode a batch as ``encoder`` does in evaluation mode, from the zero state, and show every state.

    Args:
        encoder: one with a method ``trace``.
        inputs: ``(batch, time, input_size)``.
        lengths: ``(batch,)``; None where every sequence fills the time axis.

    Raises:
        ConfigError: if the encoder does not show its states, see :class:`Traceable`.
    """
    check_traceable(encoder)
    given = inputs.detach().clone().requires_grad_()
    return check_trace(encoder.trace(given, lengths), given)  # type: ignore[attr-defined]


def traced_layer(
    cell: Cell,
    hidden_size: int,
    inputs: Tensor,
    lengths: Tensor | None,
    weights: Weights,
    *,
    reverse: bool = False,
    name: str = "layer1",
) -> tuple[Tensor, LayerTrace]:
    """Walk one layer in one direction, step by step.

    Args:
        cell: what is walked.
        hidden_size: its units.
        inputs: ``(batch, time, input)``; what it holds behind a sequence's end changes nothing.
        lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        weights: of the layer and direction.
        reverse: read each sequence from its end.
        name: of the layer.

    Returns:
        Outputs ``(batch, time, hidden)``, zero in the padding, and what happened on the way. In the padding a
        state stays what it was.
    """
    if lengths is not None and int(lengths.min()) == inputs.shape[1]:
        lengths = None
    scans = StepScans(cell, lengths, inputs)
    states = tuple(inputs.new_zeros(inputs.shape[0], size) for size in cell.state_sizes(hidden_size))
    steps = list(scans.steps(scans.enter(inputs), states, weights, reverse))
    if reverse:
        steps.reverse()
    kept = dict(zip(cell.states, zip(*(step.states for step in steps), strict=True), strict=True))
    hidden = kept[cell.states[0]]
    trace = LayerTrace(
        name=name,
        reads_backwards=reverse,
        hidden=hidden,
        memory=kept.get("memory"),
        gates=_over_time([step.gates for step in steps]),
        squashed=_over_time([step.squashed for step in steps]),
        recurrent={block: part.detach() for block, part in cell.recurrent_matrices(weights).items()},
    )
    return scans.enter(torch.stack([step.output for step in steps], dim=1)), trace


def fine(tensor: Tensor) -> Tensor:
    """Return a copy apart from autograd in float64 (float32 on Apple's GPUs, which have nothing finer).

    Gradients far below what float32 can hold are then still told apart.
    """
    kind = torch.float32 if tensor.device.type == "mps" else torch.float64
    return tensor.detach().to(kind, copy=True)


def _over_time(shown: list[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return what each step shows as ``(batch, time, hidden)``, by name."""
    return {name: torch.stack([values[name].detach() for values in shown], dim=1) for name in shown[0]}

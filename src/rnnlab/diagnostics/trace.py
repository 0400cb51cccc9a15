"""What an encoder shows of itself, step by step: the contract that diagnostics ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from torch import Tensor

from rnnlab.errors import ConfigError
from rnnlab.models.encoder import RecurrentEncoder
from rnnlab.models.regularised import RegularisedEncoder


@dataclass(frozen=True)
class LayerTrace:
    """One layer in one direction, at every position of a batch.

    Attributes:
        name: what to call it in figures: ``layer1``, or ``layer1/forward`` and ``layer1/backward``.
        reads_backwards: whether it reads each sequence from its end.
        hidden: the hidden state at each position of the time axis, ``(batch, hidden)`` each. They must be the
            very tensors that the outputs were computed from, so that autograd finds them.
        memory: the LSTM's memory cell ``c`` likewise; None where there is none.
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
    """An encoder of your own that shows its states::

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
    if not isinstance(encoder, RecurrentEncoder | RegularisedEncoder | Traceable):
        name = type(encoder).__name__
        raise ConfigError(
            f"callbacks=diagnostics can't look into {name}: it does not show its hidden states. Give it a "
            "method trace(inputs, lengths=None) that walks the batch step by step in plain autograd and "
            "returns an EncoderTrace(outputs, [LayerTrace(name, reads_backwards, hidden)]), hidden being the "
            "list of states (batch, hidden) at each position (see rnnlab.diagnostics.trace.Traceable), or "
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

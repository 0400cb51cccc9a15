"""Recurrent encoders: vectors in, one vector a token and a final state out, exact under padding."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, pad

from rnnlab.build import build
from rnnlab.errors import ConfigError, nearest
from rnnlab.models.backends import BACKENDS, check_backend, fused_scans, takes_fused
from rnnlab.models.elman import can_walk
from rnnlab.models.encoder_arguments import check_inputs, check_lengths, check_state, shortest_and_longest
from rnnlab.models.initialization import check_initialization, initialize
from rnnlab.models.packed import packed_pass
from rnnlab.models.scans import Scans, State, TorchScans, Weights

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
NONLINEARITIES = ("tanh", "relu")
ENCODER_NAMES = ("output_size", "is_bidirectional", "initial_state")


@runtime_checkable
class Encoder(Protocol):
    """What a task asks of an encoder. Whatever keeps this contract can be named as ``model._target_``.

    It is an ``nn.Module``, made with ``input_size=`` and the other keys of the ``model`` config. Batches are
    right-padded: ``lengths`` says where each sequence ends, and what lies behind its end must change
    nothing. Padded positions of the outputs are zero.
    """

    output_size: int
    is_bidirectional: bool

    def initial_state(self, batch: int) -> State:
        """Return the state before the first token of ``batch`` sequences."""
        ...

    def __call__(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return outputs ``(batch, time, output_size)`` and the state after each sequence's last token."""
        ...


class RecurrentEncoder(nn.Module):
    """``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` behind one contract, exact and fast on right-padded batches.

    Cells: Elman 1990 ("rnn"), Cho et al. 2014 ("gru"), Hochreiter and Schmidhuber 1997 ("lstm"), with the
    equations and the parameters of PyTorch's modules.

    Args:
        input_size: features of a token.
        cell: "rnn", "gru" or "lstm".
        hidden_size: units of each layer and direction.
        layers: layers on top of one another.
        bidirectional: whether a second network reads each sequence from its end.
        dropout: share of features dropped between layers (so it does nothing to one layer).
        nonlinearity: of the "rnn" cell: "tanh" or "relu".
        backend: "torch" (PyTorch's kernels), "fused" (rnnlab's own scans) or "auto".
        initialization: of the recurrent matrices: "uniform", "orthogonal" or "identity", see
            :func:`rnnlab.models.initialization.initialize`.
        forget_bias: where the bias of an LSTM's forget gate, or a GRU's update gate, starts.

    Raises:
        ConfigError: if a value is unknown or out of range, or the fused scans can't be had.
    """

    def __init__(
        self,
        input_size: int,
        cell: str = "gru",
        hidden_size: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        nonlinearity: str = "tanh",
        backend: str = "auto",
        initialization: str = "uniform",
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        _check_choice("cell", cell, CELLS)
        _check_choice("nonlinearity", nonlinearity, NONLINEARITIES)
        _check_choice("backend", backend, BACKENDS)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("layers", layers)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ConfigError(f"model.{name} is {size!r}; expected a whole number from 1.")
        if not 0 <= dropout < 1:
            raise ConfigError(f"model.dropout is {dropout!r}; expected a share from 0 to below 1.")
        check_backend(backend)
        check_initialization(initialization, forget_bias, cell)

        self.cell = cell
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.layers = layers
        self.is_bidirectional = bool(bidirectional)
        self.directions = 2 if bidirectional else 1
        self.output_size = hidden_size * self.directions
        self.dropout = float(dropout)
        self.nonlinearity = nonlinearity
        self.backend = backend
        of_cell = {"nonlinearity": nonlinearity} if cell == "rnn" else {}
        self.network = CELLS[cell](
            input_size,
            hidden_size,
            num_layers=layers,
            batch_first=True,
            bidirectional=self.is_bidirectional,
            dropout=self.dropout if layers > 1 else 0.0,  # PyTorch warns of a dropout that does nothing
            **of_cell,
        )
        initialize(self.network, initialization, forget_bias, cell)

    def initial_state(self, batch: int) -> State:
        """Return zeros ``(layers * directions, batch, hidden)``, a pair of them for the LSTM."""
        like = next(self.network.parameters())
        hidden = like.new_zeros(self.layers * self.directions, batch, self.hidden_size)
        return (hidden, hidden.clone()) if self.cell == "lstm" else hidden

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Encode a batch of right-padded sequences.

        Args:
            inputs: ``(batch, time, input_size)``; what it holds behind a sequence's end changes nothing.
            lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
                They may stay on the CPU when ``inputs`` is elsewhere; that spares a CUDA device a wait.
            state: the state before the first token, as ``nn.GRU`` (a tensor) or ``nn.LSTM`` (a pair) has
                it, each ``(layers * directions, batch, hidden)``; None means zeros.

        Returns:
            Outputs ``(batch, time, output_size)``, exactly zero in the padding, and the state after each
            sequence's own last token (for the backward direction: after its first).

        Raises:
            ValueError: if an argument's shape, type, device or value is not as said above.
        """
        check_inputs(inputs, self.input_size)
        batch, time, _ = inputs.shape
        if state is not None:
            shape = (self.layers * self.directions, batch, self.hidden_size)
            check_state(state, self.cell == "lstm", shape, inputs)
        if lengths is None:
            return self._encode(inputs, None, state)
        check_lengths(lengths, inputs)
        lengths = lengths.cpu()
        shortest, longest = shortest_and_longest(lengths, time)
        ragged = lengths if shortest < longest else None
        outputs, final = self._encode(inputs[:, :longest], ragged, state)
        return pad(outputs, (0, 0, 0, time - longest)) if longest < time else outputs, final

    def plain_state_dict(self) -> dict[str, Tensor]:
        """Return the parameters under the names of a plain ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``."""
        return dict(self.network.state_dict())

    def load_plain_state_dict(self, parameters: Mapping[str, Tensor]) -> None:
        """Take the parameters of a plain ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` of the same sizes.

        Raises:
            RuntimeError: if names or shapes differ, from ``nn.Module.load_state_dict``.
        """
        self.network.load_state_dict(parameters)

    def extra_repr(self) -> str:
        """Name what the parameters don't show."""
        return f"backend={self.backend}"

    def _encode(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Encode by the kernels that suit the batch; ``lengths`` is None where no sequence is padded."""
        kind = self.nonlinearity if self.cell == "rnn" else self.cell
        if takes_fused(self.backend, kind, inputs, self.hidden_size, lengths):
            return self._walk(fused_scans(kind, lengths, inputs), inputs, state)
        if lengths is None and self.cell == "rnn" and can_walk(inputs):
            lengths = torch.full(inputs.shape[:1], inputs.shape[1])
        if lengths is None:
            return cast(tuple[Tensor, State], self.network(inputs, state))
        if inputs.is_cuda:
            return packed_pass(self.network, inputs, lengths, state)
        return self._walk(TorchScans(kind, lengths, inputs), inputs, state)

    def _walk(self, scans: Scans, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Encode layer by layer and direction by direction, each a scan over the batch."""
        state = self.initial_state(inputs.shape[0]) if state is None else state
        layer_inputs = scans.enter(inputs)
        outputs: list[Tensor] = []
        finals: list[State] = []
        for layer in range(self.layers):
            if layer > 0:
                layer_inputs = scans.join(
                    [dropout(output, self.dropout, self.training) for output in outputs]
                )
            outputs = []
            for direction in range(self.directions):
                index = layer * self.directions + direction
                weights = cast(Weights, tuple(self.network.all_weights[index]))
                output, final = scans.scan(layer_inputs, _part(state, index), weights, reverse=direction == 1)
                outputs.append(output)
                finals.append(final)
        return scans.leave(outputs), _joined(finals)


def build_encoder(model: Mapping[str, Any], input_size: int) -> Encoder:
    """Build the encoder that the ``model`` config names, for tokens of ``input_size`` features.

    Raises:
        ConfigError: if it can't be built, or what was built is no encoder.
    """
    encoder = build(model, nn.Module, "model", input_size=input_size)
    if not isinstance(encoder, Encoder):
        lacking = [name for name in ENCODER_NAMES if not hasattr(encoder, name)]
        raise ConfigError(
            f"model._target_={model['_target_']} is no encoder: it lacks {', '.join(lacking)}. "
            "See rnnlab.models.encoder.Encoder for what a task asks of one."
        )
    return encoder


def _check_choice(name: str, value: str, choices: Mapping[str, object] | tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"model.{name}={value} is unknown. {nearest(str(value), choices)}")


def _part(state: State, index: int) -> State:
    """Return the state of one layer and direction, ``(1, batch, hidden)``."""
    if isinstance(state, tuple):
        return state[0][index : index + 1], state[1][index : index + 1]
    return state[index : index + 1]


def _joined(states: list[State]) -> State:
    """Stack the states of every layer and direction, as PyTorch's modules return them."""
    if isinstance(states[0], tuple):
        return torch.cat([state[0] for state in states]), torch.cat([state[1] for state in states])
    return torch.cat(cast(list[Tensor], states))

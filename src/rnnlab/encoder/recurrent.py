"""The recurrent encoder: a stack of cells, one direction or both, exact and fast on right-padded batches."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, pad

from rnnlab.build import taken_by
from rnnlab.cells import cell_class, cell_named
from rnnlab.cells.cell import Cell, State, TorchCell, Weights
from rnnlab.encoder.arguments import check_inputs, check_lengths, check_state, shortest_and_longest
from rnnlab.encoder.backends import check_backend, scans_for
from rnnlab.encoder.scans import Scans, packed_pass
from rnnlab.encoder.trace import EncoderTrace, LayerTrace, fine, traced_layer
from rnnlab.errors import ConfigError, nearest


class Direction(NamedTuple):
    """One layer in one direction.

    Attributes:
        cell: what it is made of.
        hidden_size: units.
        weights: its parameters, by the names that the cell gives them.
    """

    cell: Cell
    hidden_size: int
    weights: Weights


class RecurrentEncoder(nn.Module):
    """Layers of one cell behind the contract of :class:`rnnlab.encoder.encoder.Encoder`.

    Where PyTorch has the cell its module holds the parameters, under its names; those of another cell are
    named likewise, ``<parameter>_l<layer>`` and ``_reverse``.

    Args:
        input_size: features of a token.
        cell: a file of :mod:`rnnlab.cells`, "rnn", "gru" or "lstm", or the dotted name of a cell of your own.
        hidden_size: units of each layer and direction.
        layers: layers on top of one another.
        bidirectional: whether a second network reads each sequence from its end.
        dropout: share of features dropped between layers (so it does nothing to one layer).
        nonlinearity: of a cell with a choice, such as "rnn": "tanh" or "relu".
        backend: "torch" (PyTorch's kernels), "fused" (rnnlab's own scans) or "auto".
        initialization: of the recurrent matrices: "uniform", "orthogonal" or "identity", see
            :meth:`rnnlab.cells.cell.Cell.initialize`.
        forget_bias: where the bias of an LSTM's forget gate, or a GRU's update gate, starts.
        options: more of the cell's own.

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
        **options: Any,
    ) -> None:
        super().__init__()
        self.cell = built_cell(type(self), cell, nonlinearity, options)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("layers", layers)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ConfigError(f"model.{name} is {size!r}; expected a whole number from 1.")
        if not 0 <= dropout < 1:
            raise ConfigError(f"model.dropout is {dropout!r}; expected a share from 0 to below 1.")
        check_backend(backend, self.cell)
        self.cell.check_start(initialization, forget_bias)

        self.input_size = input_size
        self.hidden_size = hidden_size
        self.layers = layers
        self.is_bidirectional = bool(bidirectional)
        self.directions = 2 if bidirectional else 1
        self.output_size = self.cell.output_size(hidden_size) * self.directions
        self.dropout = float(dropout)
        self.backend = backend
        self.network = self._network()
        names = self.cell.parameters(input_size, hidden_size)
        self._names = [{name: f"{name}{end}" for name in names} for end in suffixes(layers, self.directions)]
        for direction in self._directions():
            self.cell.initialize(direction.weights, initialization, forget_bias)

    def initial_state(self, batch: int) -> State:
        """Return zeros ``(layers * directions, batch, width)``, a tensor for each of the cell's states."""
        like = next(self.network.parameters())
        return tuple(like.new_zeros(shape) for shape in self._state_shapes(batch))

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Encode a batch of right-padded sequences.

        Args:
            inputs: ``(batch, time, input_size)``; what it holds behind a sequence's end changes nothing.
            lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
                They may stay on the CPU when ``inputs`` is elsewhere; that spares a CUDA device a wait.
            state: before the first token, a tensor ``(layers * directions, batch, width)`` for each of the
                cell's states; None means zeros.

        Returns:
            Outputs ``(batch, time, output_size)``, exactly zero in the padding, and the state after each
            sequence's own last token (for the backward direction: after its first).

        Raises:
            ValueError: if an argument's shape, type, device or value is not as said above.
        """
        check_inputs(inputs, self.input_size)
        batch, time, _ = inputs.shape
        if state is not None:
            check_state(state, self.cell.states, self._state_shapes(batch), inputs)
        if lengths is None:
            return self._encode(inputs, None, state)
        check_lengths(lengths, inputs)
        lengths = lengths.cpu()
        shortest, longest = shortest_and_longest(lengths, time)
        ragged = lengths if shortest < longest else None
        outputs, final = self._encode(inputs[:, :longest], ragged, state)
        return pad(outputs, (0, 0, 0, time - longest)) if longest < time else outputs, final

    def trace(self, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
        """Encode as in evaluation mode by the cell's own step, in float64, and show every state."""
        outputs, layers = self.traced_layers(fine(inputs).requires_grad_(), lengths)
        return EncoderTrace(outputs, layers)

    def traced_layers(
        self, inputs: Tensor, lengths: Tensor | None, first: int = 1
    ) -> tuple[Tensor, list[LayerTrace]]:
        """Return outputs and traces of the layers, the first of which has the number ``first``."""
        outputs, traces = inputs, []
        for number, directions in enumerate(self.stack(), start=first):
            found = []
            for direction, way in zip(directions, ("forward", "backward"), strict=False):
                name = f"layer{number}" + (f"/{way}" if self.is_bidirectional else "")
                weights = {key: fine(weight) for key, weight in direction.weights.items()}
                reverse = way == "backward"
                output, trace = traced_layer(
                    self.cell, self.hidden_size, outputs, lengths, weights, reverse=reverse, name=name
                )
                found.append(output)
                traces.append(trace)
            outputs = torch.cat(found, dim=2)
        return outputs, traces

    def stack(self) -> list[list[Direction]]:
        """Return the directions (one or two) of each layer, from the inputs upwards."""
        every = self._directions()
        return [every[at : at + self.directions] for at in range(0, len(every), self.directions)]

    def droppable_matrices(self) -> dict[str, Tensor]:
        """Return the matrices of which ``weight_dropout`` drops entries, by the names of the parameters."""
        beginning = f"network.{self.cell.dropped}_l"
        return {name: matrix for name, matrix in self.named_parameters() if name.startswith(beginning)}

    def plain_state_dict(self) -> dict[str, Tensor]:
        """Return the parameters under the names of PyTorch's own module."""
        return dict(self.network.state_dict())

    def load_plain_state_dict(self, parameters: Mapping[str, Tensor]) -> None:
        """Take the parameters of PyTorch's own module of the same sizes.

        Raises:
            RuntimeError: if names or shapes differ, from ``nn.Module.load_state_dict``.
        """
        self.network.load_state_dict(parameters)

    def extra_repr(self) -> str:
        """Name what the parameters don't show."""
        return f"cell={self.cell.name}, backend={self.backend}"

    def _network(self) -> nn.Module:
        """Return what holds the parameters: PyTorch's module where it has the cell."""
        if not isinstance(self.cell, TorchCell):
            return Parameters(self.cell, self.input_size, self.hidden_size, self.layers, self.directions)
        return self.cell.torch_module(
            self.input_size,
            self.hidden_size,
            num_layers=self.layers,
            batch_first=True,
            bidirectional=self.is_bidirectional,
            dropout=self.dropout if self.layers > 1 else 0.0,  # PyTorch warns of a dropout that does nothing
        )

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        sizes = self.cell.state_sizes(self.hidden_size)
        return [(self.layers * self.directions, batch, size) for size in sizes]

    def _directions(self) -> list[Direction]:
        """Return every layer's directions in a row, as the parameters are now."""
        network = self.network
        every = ({key: getattr(network, name) for key, name in names.items()} for names in self._names)
        return [Direction(self.cell, self.hidden_size, weights) for weights in every]

    def _encode(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Encode by the kernels that suit the batch; ``lengths`` is None where no sequence is padded."""
        walked = self.cell.in_training() if self.training else self.cell
        scans = scans_for(walked, self.backend, inputs, self.hidden_size, lengths)
        if scans is not None:
            return self._walk(scans, inputs, state)
        cell, network = cast(TorchCell, self.cell), cast(nn.RNNBase, self.network)
        if lengths is None:
            return cell.torch_run(network, inputs, state)
        return packed_pass(cell, network, inputs, lengths, state)

    def _walk(self, scans: Scans, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Encode layer by layer and direction by direction, each a scan over the batch."""
        state = self.initial_state(inputs.shape[0]) if state is None else state
        layer_inputs = scans.enter(inputs)
        outputs: list[Tensor] = []
        finals: list[State] = []
        for layer, directions in enumerate(self.stack()):
            if layer > 0:
                layer_inputs = scans.join(
                    [dropout(output, self.dropout, self.training) for output in outputs]
                )
            outputs = []
            for way, direction in enumerate(directions):
                index = layer * self.directions + way
                before = tuple(part[index : index + 1] for part in state)
                output, final = scans.scan(layer_inputs, before, direction.weights, reverse=way == 1)
                outputs.append(output)
                finals.append(final)
        return scans.leave(outputs), tuple(torch.cat(parts) for parts in zip(*finals, strict=True))


class Parameters(nn.Module):
    """The parameters of a stack of cells that PyTorch has no module of, named as its modules name theirs.

    They start uniform within plus and minus ``1 / sqrt(hidden)``.
    """

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, layers: int, directions: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden_size)
        width = cell.output_size(hidden_size) * directions
        for number, suffix in enumerate(suffixes(layers, directions)):
            size = input_size if number < directions else width
            for name, shape in cell.parameters(size, hidden_size).items():
                parameter = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
                self.register_parameter(f"{name}{suffix}", parameter)


def suffixes(layers: int, directions: int) -> list[str]:
    """Return what PyTorch puts behind the names of the parameters of each layer and direction.

    >>> suffixes(2, 2)
    ['_l0', '_l0_reverse', '_l1', '_l1_reverse']
    """
    return [f"_l{layer}{way}" for layer in range(layers) for way in ("", "_reverse")[:directions]]


def built_cell(encoder: type, name: str, nonlinearity: str, options: Mapping[str, Any]) -> Cell:
    """Return the cell that an encoder is to be made of.

    Args:
        encoder: whose own options are named where one is misspelt.
        name: see :func:`rnnlab.cells.cell_named`.
        nonlinearity: handed on to a cell that has a choice.
        options: handed on as they are.

    Raises:
        ConfigError: if there is no such cell, or it has no such option.
    """
    cls = cell_class(name)
    known, takes_any = taken_by(cls)
    chosen = {**options, "nonlinearity": nonlinearity} if "nonlinearity" in known else dict(options)
    if chosen == options and nonlinearity != "tanh":
        raise ConfigError(
            f"model.nonlinearity={nonlinearity}: the {cls.name} cell has no choice of it. Leave it out."
        )
    unknown = [] if takes_any else [key for key in options if key not in known]
    if unknown:
        names = (known | taken_by(encoder)[0]) - {"input_size", "nonlinearity", "options"}
        lines = [f"model.{key}: {cls.name} has no such option. {nearest(key, names)}" for key in unknown]
        raise ConfigError("\n".join(lines))
    return cell_named(name, chosen)

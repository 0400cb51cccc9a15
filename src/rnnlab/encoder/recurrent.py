"""The recurrent encoder: a stack of cells, one direction or both, exact and fast on right-padded batches."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, pad

from rnnlab.cells.cell import Cell, State, TorchCell, Weights
from rnnlab.encoder.arguments import (
    built_cell,
    check_inputs,
    check_lengths,
    check_sizes,
    check_state,
    checked_units,
    shortest_and_longest,
    size_for,
)
from rnnlab.encoder.backends import check_backend, scans_for
from rnnlab.encoder.blocks import Blocks
from rnnlab.encoder.dropout import check_shares
from rnnlab.encoder.dry_pass import check_step
from rnnlab.encoder.scans import Scans, TorchScans, packed_pass
from rnnlab.encoder.trace import EncoderTrace, LayerTrace, fine, traced_layer
from rnnlab.errors import ConfigError


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
        cell: a file of :mod:`rnnlab.cells`, such as "gru", or the dotted name of a cell of your own.
        hidden_size: units of each layer and direction; None where ``parameters`` choose it.
        layers: layers on top of one another.
        bidirectional: whether a second network reads each sequence from its end.
        residual: whether each layer's inputs are added to its outputs, see :mod:`rnnlab.encoder.blocks`.
        norm: of each layer's inputs and of the last outputs: "none", "layer" or "rms".
        gated: whether a gated linear unit stands behind each layer.
        parameters: about how many the layers shall have in all, so that cells can be compared at equal size.
        dropout: share of features dropped between layers (so it does nothing to one layer).
        nonlinearity: of a cell with a choice, such as "rnn": "tanh" or "relu".
        backend: "torch" (PyTorch's kernels), "fused" (rnnlab's own scans), "auto"; or PyTorch's kernels with
            sequences of different lengths "packed" or "masked", see :mod:`rnnlab.encoder.backends`.
        initialization: of the recurrent matrices: "uniform", "orthogonal" or "identity", see
            :meth:`rnnlab.cells.cell.Cell.initialize`.
        forget_bias: where the bias of an LSTM's forget gate, or a GRU's update gate, starts.
        options: more of the cell's own.

    Raises:
        ConfigError: if a value is unknown or out of range, the fused scans can't be had, or a cell of your
            own breaks its contract.
    """

    def __init__(
        self,
        input_size: int,
        cell: str = "gru",
        hidden_size: int | None = 128,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        nonlinearity: str = "tanh",
        backend: str = "auto",
        initialization: str = "uniform",
        forget_bias: float | None = None,
        residual: bool = False,
        norm: str = "none",
        gated: bool = False,
        parameters: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.cell = built_cell(type(self), cell, nonlinearity, options)
        check_sizes(input_size=input_size, layers=layers)
        if parameters is not None:
            sizes = (input_size, layers, 1 + bidirectional, gated)
            hidden_size = size_for(self.cell, parameters, hidden_size, *sizes)
        hidden_size = checked_units(self.cell, hidden_size)
        check_shares("model", dropout=dropout)
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
        self.blocks = Blocks([input_size, *[self.output_size] * layers], norm, residual, gated)
        if backend == "packed" and not self.blocks.are_bare:
            raise ConfigError(
                "model.backend=packed walks all layers in one call, and nothing can stand between them: take "
                "model.backend=auto, or model.norm=none, model.residual=false and model.gated=false."
            )
        self.network = self._network()
        names = self.cell.parameters(input_size, hidden_size)
        self._names = [{name: f"{name}{end}" for name in names} for end in suffixes(layers, self.directions)]
        for direction in self._directions():
            self.cell.initialize(direction.weights, initialization, forget_bias)
        check_step(self.cell, self._directions()[0].weights, input_size, hidden_size)

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

    def branched(self, inputs: Tensor, state: State) -> Tensor | None:
        """Return the outputs of one step from the same state with several inputs.

        What a cell makes of its state alone, mostly the larger half of its products, is made once for all.

        Args:
            inputs: ``(branches, groups, input_size)``: sequence ``i`` reads row ``i mod groups``.
            state: as :meth:`forward` returns it, of a number of sequences that ``groups`` divides.

        Returns:
            ``(branches, batch, output_size)``; None of several layers, of two directions, and where something
            stands around the layer.
        """
        if self.layers > 1 or self.is_bidirectional or not self.blocks.are_bare:
            return None
        (direction,), cell, before = self._directions(), self._cell_now(), tuple(part[0] for part in state)
        branches, groups, _ = inputs.shape
        given = cell.project(inputs.reshape(branches * groups, 1, -1), direction.weights)
        given = given.view(branches, groups, -1).repeat(1, len(before[0]) // groups, 1)

        def stepped(one: Tensor) -> Tensor:
            return cell.step(one, before, direction.weights).output

        found: Tensor = torch.vmap(stepped, randomness="different")(given)
        return found

    def trace(self, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
        """Encode as in evaluation mode by the cell's own step, in float64, and show every state."""
        outputs, layers = self.traced_layers(fine(inputs).requires_grad_(), lengths)
        return EncoderTrace(outputs, layers)

    def traced_layers(
        self, inputs: Tensor, lengths: Tensor | None, first: int = 1
    ) -> tuple[Tensor, list[LayerTrace]]:
        """Return outputs and traces of the layers, the first of which has the number ``first``."""
        traces: list[LayerTrace] = []

        def traced(number: int, directions: Sequence[Direction], read: Tensor) -> Tensor:
            found = []
            for direction, way in zip(directions, ("forward", "backward"), strict=False):
                name = f"layer{number}" + (f"/{way}" if self.is_bidirectional else "")
                weights = {key: fine(weight) for key, weight in direction.weights.items()}
                reverse = way == "backward"
                output, trace = traced_layer(
                    self.cell, self.hidden_size, read, lengths, weights, reverse=reverse, name=name
                )
                found.append(output)
                traces.append(trace)
            return torch.cat(found, dim=2)

        layers = [partial(traced, *numbered) for numbered in enumerate(self.stack(), start=first)]
        return self.blocks(inputs, lengths, layers, finely=True), traces

    def stack(self) -> list[list[Direction]]:
        """Return the directions (one or two) of each layer, from the inputs upwards."""
        every = self._directions()
        return [every[at : at + self.directions] for at in range(0, len(every), self.directions)]

    def droppable_matrices(self) -> dict[str, Tensor]:
        """Return the matrices of which ``weight_dropout`` drops entries, by the names of the parameters."""
        beginning = f"network.{self.cell.dropped}_l"
        return {name: matrix for name, matrix in self.named_parameters() if name.startswith(beginning)}

    def extra_repr(self) -> str:
        """Name what the parameters don't show."""
        return f"cell={self.cell.name}, backend={self.backend}"

    def _network(self) -> nn.Module:
        """Return what holds the parameters: PyTorch's module where it has the cell."""
        in_torch = self.cell.in_torch
        if in_torch is None:
            return Parameters(self.cell, self.input_size, self.hidden_size, self.layers, self.directions)
        return in_torch.torch_module(
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
        if not self.blocks.are_bare:
            return self._walk_blocks(inputs, lengths, state)
        scans = scans_for(self._cell_now(), self.backend, inputs, self.hidden_size, lengths)
        if scans is not None:
            return self._walk(scans, inputs, state)
        cell, network = cast(TorchCell, self.cell), cast(nn.RNNBase, self.network)
        if lengths is None:
            return cell.torch_run(network, inputs, state)
        return packed_pass(cell, network, inputs, lengths, state)

    def _cell_now(self) -> Cell:
        """Return the cell as it is while the encoder trains, or does not."""
        return self.cell.in_training() if self.training else self.cell

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
            outputs, ends = self._walk_layer(layer, scans, layer_inputs, state)
            finals += ends
        return scans.leave(outputs), tuple(torch.cat(parts) for parts in zip(*finals, strict=True))

    def _walk_layer(
        self, layer: int, scans: Scans, inputs: Tensor, state: State
    ) -> tuple[list[Tensor], list[State]]:
        """Return outputs and final states of a layer's directions; ``state`` is that of all layers."""
        outputs, finals = [], []
        for way, direction in enumerate(self.stack()[layer]):
            index = layer * self.directions + way
            before = tuple(part[index : index + 1] for part in state)
            output, final = scans.scan(inputs, before, direction.weights, reverse=way == 1)
            outputs.append(output)
            finals.append(final)
        return outputs, finals

    def _walk_blocks(
        self, inputs: Tensor, lengths: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Encode layer by layer, with norms, gates and residuals around each."""
        before = self.initial_state(inputs.shape[0]) if state is None else state
        finals: list[State] = []

        def walked(layer: int, read: Tensor) -> Tensor:
            scans = scans_for(self._cell_now(), self.backend, read, self.hidden_size, lengths)
            if scans is None:
                every = torch.full(read.shape[:1], read.shape[1]) if lengths is None else lengths
                scans = TorchScans(cast(TorchCell, self.cell.in_torch), every, read)
            outputs, ends = self._walk_layer(layer, scans, scans.enter(read), before)
            finals.extend(ends)
            return scans.leave(outputs)

        layers = [partial(walked, layer) for layer in range(self.layers)]
        dropped = partial(dropout, p=self.dropout, training=self.training)
        outputs = self.blocks(inputs, lengths, layers, dropped)
        return outputs, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))


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

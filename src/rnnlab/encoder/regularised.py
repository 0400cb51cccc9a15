"""AWD-LSTM's encoder for any cell: locked dropout between layers, dropped recurrent weights."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from rnnlab.cells.cell import State
from rnnlab.encoder.arguments import built_cell, check_sizes
from rnnlab.encoder.dropout import LockedDropout, check_shares
from rnnlab.encoder.recurrent import Direction, RecurrentEncoder
from rnnlab.encoder.trace import EncoderTrace, LayerTrace, fine


class RegularisedEncoder(nn.Module):
    """Layers of :class:`RecurrentEncoder`, regularised as in Merity et al. 2018 (AWD-LSTM).

    It keeps the encoder's contract, one direction only. As the last layer may have a size of its own, the
    state lays the layers side by side: ``(1, batch, sum of the layers' units)``, one for each of the cell's.

    Args:
        input_size: features of a token.
        cell: see :class:`RecurrentEncoder`.
        hidden_size: units of each layer.
        layers: layers on top of one another.
        output_size: units of the last layer; ``None`` for ``hidden_size``. A language model with tied
            weights needs no projection where it is the embedding's size.
        dropout: share of a layer's outputs dropped before the next one, the same at every step.
        weight_dropout: share of the recurrent matrices' entries dropped, anew for each batch.
        nonlinearity: of a cell with a choice, such as "rnn": "tanh" or "relu".
        backend: see :class:`RecurrentEncoder`.
        initialization: of the recurrent matrices, see :class:`RecurrentEncoder`.
        forget_bias: where the bias of the forget or update gate starts, see there.
        options: more of the cell's own.

    Raises:
        ConfigError: if a value is unknown or out of range.
    """

    is_bidirectional = False

    def __init__(
        self,
        input_size: int,
        cell: str = "lstm",
        hidden_size: int = 1150,
        layers: int = 3,
        output_size: int | None = None,
        dropout: float = 0.25,
        weight_dropout: float = 0.5,
        nonlinearity: str = "tanh",
        backend: str = "auto",
        initialization: str = "uniform",
        forget_bias: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        built_cell(type(self), cell, nonlinearity, options)  # what else a stack takes is not for this one
        check_shares("model", dropout=dropout, weight_dropout=weight_dropout)
        check_sizes(layers=layers)
        self.input_size = input_size
        self.output_size = hidden_size if output_size is None else output_size
        self.weight_dropout = weight_dropout
        self.dropout = LockedDropout(dropout)
        self.sizes = [hidden_size] * (layers - 1) + [self.output_size]
        inputs = [input_size, *self.sizes[:-1]]
        self.layers = nn.ModuleList(
            RecurrentEncoder(
                size_in,
                cell,
                size,
                nonlinearity=nonlinearity,
                backend=backend,
                initialization=initialization,
                forget_bias=forget_bias,
                **options,
            )
            for size_in, size in zip(inputs, self.sizes, strict=True)
        )

    def initial_state(self, batch: int) -> State:
        """Return zeros ``(1, batch, sum of units)``, a tensor for each of the cell's states."""
        return _side_by_side([layer.initial_state(batch) for layer in self._layers()])

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Encode as :meth:`RecurrentEncoder.forward` does.

        Raises:
            ValueError: if an argument's shape, type, device or value does not fit.
        """
        given = self.initial_state(inputs.shape[0]) if state is None else state
        outputs, finals = inputs, []
        for number, (layer, before) in enumerate(zip(self._layers(), self._apart(given), strict=True)):
            if number > 0:
                outputs = self.dropout(outputs)
            outputs, final = self._run(layer, outputs, lengths, before)
            finals.append(final)
        return outputs, _side_by_side(finals)

    def trace(self, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
        """Encode as :meth:`RecurrentEncoder.trace` does, without dropout."""
        outputs, traces = fine(inputs).requires_grad_(), list[LayerTrace]()
        for number, layer in enumerate(self._layers(), start=1):
            outputs, found = layer.traced_layers(outputs, lengths, first=number)
            traces += found
        return EncoderTrace(outputs, traces)

    def stack(self) -> list[list[Direction]]:
        """Return the one direction of each layer, from the inputs upwards."""
        return [directions for layer in self._layers() for directions in layer.stack()]

    def _layers(self) -> list[RecurrentEncoder]:
        return cast(list[RecurrentEncoder], list(self.layers))

    def _run(
        self, layer: RecurrentEncoder, inputs: Tensor, lengths: Tensor | None, state: State
    ) -> tuple[Tensor, State]:
        """Run a layer; in training with entries of its recurrent matrices dropped, the same for a window.

        This is DropConnect on the hidden-to-hidden weights (Merity et al. 2018, section 2). The parameters
        themselves stay what they are and get their gradient through the mask.
        """
        weights = {}
        if self.training and self.weight_dropout > 0:
            matrices = layer.droppable_matrices()
            weights = {name: F.dropout(matrix, self.weight_dropout) for name, matrix in matrices.items()}
        return cast(tuple[Tensor, State], functional_call(layer, weights, (inputs, lengths, state)))

    def _apart(self, state: State) -> list[State]:
        """Return each layer's state.

        Raises:
            ValueError: if the state does not have the layers' sizes.
        """
        names = self._layers()[0].cell.states
        widths = zip(*(layer.cell.state_sizes(layer.hidden_size) for layer in self._layers()), strict=True)
        parts = []
        if not isinstance(state, tuple | list) or len(state) != len(names):
            raise ValueError(f"state is no tuple of {len(names)}: ({', '.join(names)}).")
        for part, sizes in zip(state, widths, strict=True):
            if part.shape[-1] != sum(sizes):
                raise ValueError(
                    f"state has shape {tuple(part.shape)}; expected (1, batch, {sum(sizes)}), "
                    f"the layers' {list(sizes)} units side by side."
                )
            parts.append([piece.contiguous() for piece in torch.split(part, list(sizes), dim=2)])
        return list(zip(*parts, strict=True))


def _side_by_side(states: list[State]) -> State:
    return tuple(torch.cat(parts, dim=2) for parts in zip(*states, strict=True))

"""One layer of one direction over a batch of sequences of different lengths.

``StepScans`` walks any cell by its own ``step``; what follows is for the cells that PyTorch has.
``PackedSequence`` runs every time step on its own on a CPU. Here PyTorch's unidirectional networks run over
the whole padded batch, and these facts make that exact:

* A network that reads forwards can't see what lies behind a sequence's end, so padding on the right
  leaves every real output as it is.
* A sequence that is reversed within its own length is right-padded again, so the backward direction is a
  forward pass between two reversals.
* An output at the last token is the final hidden state. The LSTM's memory ``c`` is no output: it is kept
  through the padding by gates that are forced open and shut (``TorchScans._widened``).
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnlab.cells.cell import Cell, State, Step, TorchCell, Weights
from rnnlab.data.batch import beside
from rnnlab.encoder.padding import RaggedRows, batch_major, reordered, time_major


class Scans(Protocol):
    """How one batch is walked. Between ``enter`` and ``leave`` the tensors' layout is the scans' own."""

    def enter(self, inputs: Tensor) -> Tensor:
        """Take ``inputs`` ``(batch, time, input)`` into the layout that ``scan`` reads."""
        ...

    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction.

        Args:
            inputs: from ``enter`` or ``join``.
            state: before the first token, ``(1, batch, hidden)`` each.
            weights: of this layer and direction.
            reverse: read each sequence from its end.

        Returns:
            Outputs, and the state after the last token read.
        """
        ...

    def join(self, directions: Sequence[Tensor]) -> Tensor:
        """Make a layer's outputs, one or two directions, the inputs of the layer above."""
        ...

    def leave(self, directions: Sequence[Tensor]) -> Tensor:
        """Return the top layer's outputs as ``(batch, time, output)``, exact zeros in the padding."""
        ...


class StepScans:
    """The scan that follows from a cell's ``step`` alone: any cell, any device, differentiable twice.

    Args:
        cell: what is walked.
        lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        inputs: ``(batch, time, input)``, the batch that will be walked.
    """

    def __init__(self, cell: Cell, lengths: Tensor | None, inputs: Tensor) -> None:
        self._cell = cell
        self._is_real: Tensor | None = None
        if lengths is not None:
            places = torch.arange(inputs.shape[1], device=inputs.device)
            self._is_real = places < beside(lengths, inputs).unsqueeze(1)  # (batch, time)

    def enter(self, inputs: Tensor) -> Tensor:
        """Return ``(batch, time, input)`` with zeros in the padding."""
        return inputs if self._is_real is None else inputs.masked_fill(~self._is_real.unsqueeze(2), 0)

    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction over ``inputs`` ``(batch, time, input)``."""
        states = tuple(part[0] for part in state)
        outputs = []
        for step in self.steps(inputs, states, weights, reverse):
            states = step.states
            outputs.append(step.output)
        if reverse:
            outputs.reverse()
        return self.enter(torch.stack(outputs, dim=1)), tuple(part.unsqueeze(0) for part in states)

    def steps(self, inputs: Tensor, states: State, weights: Weights, reverse: bool) -> Iterator[Step]:
        """Yield every time step in the order of reading; in the padding the states stay what they were.

        A direction that reads from the end meets the padding first, and keeps its first state through it.

        Args:
            inputs: of :meth:`enter`.
            states: before the first token, ``(batch, hidden)`` each.
            weights: of the layer and direction.
            reverse: read each sequence from its end.
        """
        given = self._cell.project(inputs.flip(1) if reverse else inputs, weights)
        is_real = self._is_real
        if is_real is not None and reverse:
            is_real = is_real.flip(1)
        for t, now in enumerate(given.unbind(dim=1)):
            step = self._cell.step(now, states, weights)
            if is_real is not None:
                here = is_real[:, t].unsqueeze(1)
                parts = zip(step.states, states, strict=True)
                step = step._replace(states=tuple(torch.where(here, new, old) for new, old in parts))
            states = step.states
            yield step

    def join(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, features)``."""
        return torch.cat(list(directions), dim=2) if len(directions) > 1 else directions[0]

    def leave(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, features)``; the padding is zero already."""
        return self.join(directions)


class TorchScans:
    """Scans by PyTorch's functions over all steps, time-major; see ``TorchCell.torch_scan``.

    Args:
        cell: what is walked.
        lengths: ``(batch,)`` integers from 1 to ``time``.
        inputs: ``(batch, time, input)``, the batch that will be walked.
    """

    def __init__(self, cell: TorchCell, lengths: Tensor, inputs: Tensor) -> None:
        self._cell = cell
        self._rows = RaggedRows(lengths, inputs.shape[1], inputs.device)
        self._is_driven = cell.is_driven

    def enter(self, inputs: Tensor) -> Tensor:
        """Return ``(time, batch, input)`` with zeros in the padding, so that no garbage there spreads."""
        return time_major(inputs, self._rows, self._is_driven)

    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction over ``inputs`` ``(time, batch, input)``."""
        if reverse:
            inputs = self._reversed(inputs)
        outputs, others = self._cell.torch_scan(inputs, state, self._widened(weights))
        hidden = outputs.flatten(0, 1).index_select(0, self._rows.last).unsqueeze(0)
        if reverse:
            outputs = self._reversed(outputs)
        return outputs, (hidden, *others)

    def join(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(time, batch, features)``."""
        parts = list(directions)
        if self._is_driven:
            parts.append(self._rows.is_padding.unsqueeze(2).to(parts[0].dtype))
        return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]

    def leave(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, output)`` with exact zeros in the padding."""
        is_fresh = len(directions) > 1
        outputs = torch.cat(list(directions), dim=2) if is_fresh else directions[0]
        is_kept = self._cell.keeps_outputs and not is_fresh and outputs.requires_grad
        return batch_major(outputs, self._rows, in_place=not is_kept)

    def _reversed(self, sequences: Tensor) -> Tensor:
        return reordered(sequences.flatten(0, 1), self._rows.reversal).view_as(sequences)

    def _widened(self, weights: Weights) -> Weights:
        """Give the input that is 1 in the padding, and only there, its weights."""
        if not self._is_driven:
            return weights
        weight_ih = weights["weight_ih"]
        return {**weights, "weight_ih": torch.cat((weight_ih, self._cell.padding_drive(weight_ih)), dim=1)}


def packed_pass(
    cell: TorchCell, network: nn.RNNBase, inputs: Tensor, lengths: Tensor, state: State | None
) -> tuple[Tensor, State]:
    """Run ``network`` over right-padded sequences through ``PackedSequence``, each to its own end.

    On CUDA this is one cuDNN call for all layers and directions, which walks only real tokens; the scans
    would be one call each and gathers between them. On a CPU it runs step by step and is many times slower
    than the scans.

    Args:
        cell: what the network is of.
        network: PyTorch's module of it with ``batch_first=True``.
        inputs: ``(batch, time, input)``.
        lengths: ``(batch,)`` from 1 to ``time``, on the CPU.
        state: before the first token, or None for zeros.

    Returns:
        Outputs ``(batch, time, output)``, zero in the padding, and the state after the last token.
    """
    # In the order of bucketed batches nothing is to be sorted, for which a CUDA device would have to wait.
    falls = bool((lengths[:-1] >= lengths[1:]).all())
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=falls)
    outputs, final = cell.torch_run(network, packed, state)
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
    return padded, final

"""One layer of one direction over a batch of sequences of different lengths, without ``PackedSequence``.

``PackedSequence`` runs every time step on its own on a CPU. Here PyTorch's unidirectional networks run over
the whole padded batch, and these facts make that exact:

* A network that reads forwards can't see what lies behind a sequence's end, so padding on the right
  leaves every real output as it is.
* A sequence that is reversed within its own length is right-padded again, so the backward direction is a
  forward pass between two reversals.
* An output at the last token is the final hidden state. The LSTM's memory ``c`` is no output: it is kept
  through the padding by gates that are forced open and shut (``TorchScans._widened``).
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from rnnlab.models.elman import can_walk, elman_walk
from rnnlab.models.padding import RaggedRows, batch_major, reordered, time_major

State = Tensor | tuple[Tensor, Tensor]
"""``h``, or ``(h, c)`` for the LSTM, each ``(layers * directions, batch, hidden)``."""

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""``weight_ih (gates * hidden, input)``, ``weight_hh (gates * hidden, hidden)``, ``bias_ih``, ``bias_hh``."""


class Scans(Protocol):
    """How one batch is walked. Between ``enter`` and ``leave`` the tensors' layout is the scans' own."""

    def enter(self, inputs: Tensor) -> Tensor:
        """Take ``inputs`` ``(batch, time, input)`` into the layout that ``scan`` reads."""
        ...

    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction.

        Args:
            inputs: from ``enter`` or ``join``.
            state: before the first token, ``(1, batch, hidden)`` or a pair of it.
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


class TorchScans:
    """Scans by ``torch.gru``, ``torch.lstm``, ``torch.rnn_tanh`` and ``torch.rnn_relu``, time-major.

    On a CPU, Elman's network is trained by :func:`rnnlab.models.elman.elman_walk`, which is faster.

    Args:
        kind: "gru", "lstm", "tanh" or "relu".
        lengths: ``(batch,)`` integers from 1 to ``time``.
        inputs: ``(batch, time, input)``, the batch that will be walked.
    """

    def __init__(self, kind: str, lengths: Tensor, inputs: Tensor) -> None:
        self._kind = kind
        self._rows = RaggedRows(lengths, inputs.shape[1], inputs.device)
        self._is_driven = kind in ("lstm", "relu")
        """Whether an input says where the padding is, see ``_widened``."""

    def enter(self, inputs: Tensor) -> Tensor:
        """Return ``(time, batch, input)`` with zeros in the padding, so that no garbage there spreads."""
        return time_major(inputs, self._rows, self._is_driven)

    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction over ``inputs`` ``(time, batch, input)``."""
        if reverse:
            inputs = self._reversed(inputs)
        outputs, memory = self._walk(inputs, state, weights)
        hidden = outputs.flatten(0, 1).index_select(0, self._rows.last).unsqueeze(0)
        if reverse:
            outputs = self._reversed(outputs)
        return outputs, hidden if memory is None else (hidden, memory)

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
        # oneDNN's LSTM and our own walk keep their outputs for the backward pass; the others return a copy.
        is_kept = self._kind != "gru" and not is_fresh and outputs.requires_grad
        return batch_major(outputs, self._rows, in_place=not is_kept)

    def _reversed(self, sequences: Tensor) -> Tensor:
        return reordered(sequences.flatten(0, 1), self._rows.reversal).view_as(sequences)

    def _walk(self, inputs: Tensor, state: State, weights: Weights) -> tuple[Tensor, Tensor | None]:
        """Return outputs ``(time, batch, hidden)`` and, for the LSTM, the memory after the last token."""
        options = (True, 1, 0.0, torch.is_grad_enabled(), False, False)
        if self._is_driven:
            weights = self._widened(weights)
        if isinstance(state, tuple):
            outputs, _, memory = torch.lstm(inputs, state, weights, *options)
            return outputs, memory
        if self._kind != "gru" and can_walk(inputs):
            return elman_walk(inputs, state, weights, self._kind == "relu"), None
        network = {"gru": torch.gru, "tanh": torch.rnn_tanh, "relu": torch.rnn_relu}[self._kind]
        return network(inputs, state, weights, *options)[0], None

    def _widened(self, weights: Weights) -> Weights:
        """Let the input that is 1 in the padding, and only there, drive the gates to their exact limits.

        LSTM, gates in PyTorch's order i, f, g, o: i = 0 and f = 1, so ``c_t = f c_(t-1) + i g`` stays what it
        was at the last token and its gradient flows back unchanged. Rectified RNN: the state becomes 0, as
        it could otherwise grow without bound and turn a zero gradient into 0 * inf.
        """
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        drive = torch.zeros(weight_ih.shape[0], 1, dtype=weight_ih.dtype, device=weight_ih.device)
        if self._kind == "lstm":
            hidden = weight_hh.shape[1]
            drive[:hidden] = -1e4
            drive[hidden : 2 * hidden] = 1e4
        else:
            drive.fill_(-torch.finfo(drive.dtype).max / 4)
        return torch.cat((weight_ih, drive), dim=1), weight_hh, bias_ih, bias_hh

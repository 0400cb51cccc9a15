"""One layer of one direction over a batch of sequences of different lengths, without ``PackedSequence``.

``PackedSequence`` runs every time step on its own on a CPU. Here PyTorch's unidirectional networks run over
the whole padded batch, and these facts make that exact:

* A network that reads forwards can't see what lies behind a sequence's end, so padding on the right
  leaves every real output as it is.
* A sequence that is reversed within its own length is right-padded again, so the backward direction is a
  forward pass between two reversals.
* An output at the last token is the final hidden state. The LSTM's memory ``c`` is no output: it is kept
  through the padding by gates that are forced open and shut (``_with_padding_column``).
"""

from typing import Protocol

import torch
from torch import Tensor

from rnnlab.models.padding import RaggedRows, reordered

State = Tensor | tuple[Tensor, Tensor]
"""``h``, or ``(h, c)`` for the LSTM, each ``(layers * directions, batch, hidden)``."""

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""``weight_ih (gates * hidden, input)``, ``weight_hh (gates * hidden, hidden)``, ``bias_ih``, ``bias_hh``."""


class Scans(Protocol):
    """How one batch is walked. The layout of the tensors between ``enter`` and ``leave`` is the scans' own,
    except that features come last.
    """

    def enter(self, inputs: Tensor) -> Tensor:
        """Take ``inputs`` ``(batch, time, input)`` into the scans' layout."""
        ...

    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction.

        Args:
            inputs: in the scans' layout.
            state: before the first token, ``(1, batch, hidden)`` or a pair of it.
            weights: of this layer and direction.
            reverse: read each sequence from its end.

        Returns:
            Outputs in the scans' layout, finite in the padding, and the state after the last token read.
        """
        ...

    def leave(self, outputs: Tensor) -> Tensor:
        """Return outputs as ``(batch, time, output)`` with exact zeros in the padding."""
        ...


class TorchScans:
    """Scans by ``torch.gru``, ``torch.lstm``, ``torch.rnn_tanh`` and ``torch.rnn_relu``, time-major.

    Args:
        kind: "gru", "lstm", "tanh" or "relu".
        lengths: ``(batch,)`` integers from 1 to ``time``.
        inputs: ``(batch, time, input)``, the batch that will be walked.
    """

    def __init__(self, kind: str, lengths: Tensor, inputs: Tensor) -> None:
        self._kind = kind
        self._rows = RaggedRows(lengths, inputs.shape[1], inputs.device)

    def enter(self, inputs: Tensor) -> Tensor:
        """Return ``(time, batch, input)`` with zeros in the padding, so that no garbage there spreads."""
        time_major = inputs.transpose(0, 1).clone(memory_format=torch.contiguous_format)
        time_major.flatten(0, 1).index_fill_(0, self._rows.padding, 0)
        return time_major

    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction over ``inputs`` ``(time, batch, input)``."""
        if reverse:
            inputs = self._reversed(inputs)
        outputs, final = self._walk(inputs, state, weights)
        hidden = outputs.flatten(0, 1).index_select(0, self._rows.last).unsqueeze(0)
        if reverse:
            outputs = self._reversed(outputs)
        return outputs, hidden if final is None else (hidden, final)

    def leave(self, outputs: Tensor) -> Tensor:
        """Return ``(batch, time, output)`` with exact zeros in the padding."""
        rows = outputs.flatten(0, 1).index_fill(0, self._rows.padding, 0)
        return rows.view_as(outputs).transpose(0, 1)

    def _reversed(self, sequences: Tensor) -> Tensor:
        return reordered(sequences.flatten(0, 1), self._rows.reversal).view_as(sequences)

    def _walk(self, inputs: Tensor, state: State, weights: Weights) -> tuple[Tensor, Tensor | None]:
        """Return outputs ``(time, batch, hidden)`` and, for the LSTM, the memory after the last token."""
        options = (True, 1, 0.0, torch.is_grad_enabled(), False, False)
        if isinstance(state, tuple):
            inputs, weights = self._with_padding_column(inputs, weights)
            outputs, _, memory = torch.lstm(inputs, state, weights, *options)
            return outputs, memory
        if self._kind == "gru":
            return torch.gru(inputs, state, weights, *options)[0], None
        if self._kind == "tanh":
            return torch.rnn_tanh(inputs, state, weights, *options)[0], None
        inputs, weights = self._with_padding_column(inputs, weights)
        return torch.rnn_relu(inputs, state, weights, *options)[0], None

    def _with_padding_column(self, inputs: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
        """Add an input that is 1 in the padding and drives the gates there to their exact limits.

        LSTM, gates in PyTorch's order i, f, g, o: i = 0 and f = 1, so ``c_t = f c_(t-1) + i g`` stays what it
        was at the last token and its gradient flows back unchanged. Rectified RNN: the state becomes 0, as
        it could otherwise grow without bound and turn a zero gradient into 0 * inf.
        """
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        column = self._rows.is_padding.unsqueeze(2).to(inputs.dtype)
        drive = torch.zeros(weight_ih.shape[0], 1, dtype=weight_ih.dtype, device=weight_ih.device)
        if self._kind == "lstm":
            hidden = weight_hh.shape[1]
            drive[:hidden] = -1e4
            drive[hidden : 2 * hidden] = 1e4
        else:
            drive.fill_(-torch.finfo(drive.dtype).max / 4)
        widened = torch.cat((weight_ih, drive), dim=1)
        return torch.cat((inputs, column), dim=2), (widened, weight_hh, bias_ih, bias_hh)

"""What one writes without rnnlab: a plain ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` on a padded batch.

Both are embedding, one recurrent layer, and a linear classifier on its final state, as rnnlab's classifier
with ``pooling: last`` is.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from rnnlab.cells import cell_named
from rnnlab.cells.cell import TorchCell


class PlainClassifier(nn.Module):
    """Reads a batch to the end of its time axis, padding and all: fast to write, and wrong.

    Args:
        cell: "rnn", "gru" or "lstm".
        vocabulary_size: rows of the embedding.
        embedding_size: components of a word's vector.
        hidden_size: units of the recurrent layer.
        outputs: logits; 1 for two classes.
    """

    def __init__(
        self, cell: str, vocabulary_size: int, embedding_size: int, hidden_size: int, outputs: int
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.network = plain_network(cell, embedding_size, hidden_size)
        self.classifier = nn.Linear(hidden_size, outputs)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits, ``(batch,)`` or ``(batch, outputs)``, for ``tokens`` ``(batch, time)``."""
        return self.classified(self.network(self.embedding(tokens))[1])

    def classified(self, state: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """Return the logits for the final state, each part ``(1, batch, hidden)``."""
        hidden = state[0] if isinstance(state, tuple) else state
        logits: Tensor = self.classifier(hidden[-1])
        return logits.squeeze(-1) if logits.shape[-1] == 1 else logits


class PackedClassifier(PlainClassifier):
    """Leaves the padding out by way of ``PackedSequence``: exact, and on a CPU slow."""

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits, ``(batch,)`` or ``(batch, outputs)``, for ``tokens`` ``(batch, time)``."""
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return self.classified(self.network(packed)[1])


def plain_network(cell: str, input_size: int, hidden_size: int, layers: int = 1) -> nn.RNNBase:
    """Return PyTorch's own module of a cell, which must have one."""
    named = cell_named(cell)
    assert isinstance(named, TorchCell)
    return named.torch_module(input_size, hidden_size, num_layers=layers, batch_first=True)


def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats, of ``(batch,)`` or ``(batch, classes)`` logits."""
    if logits.dim() == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    return torch.nn.functional.cross_entropy(logits, labels)

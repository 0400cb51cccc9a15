"""What one writes without rnnlab: plain networks of PyTorch's, and the plain loop around them."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.optim import Optimizer

from rnnlab.benchmarks.child_process import PeakMemory
from rnnlab.benchmarks.reviews import Batches
from rnnlab.benchmarks.settings import now
from rnnlab.benchmarks.turns import Pass, Repeated, Turn
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


def plain_network(
    cell: str, input_size: int, hidden_size: int, layers: int = 1, *, bidirectional: bool = False
) -> nn.RNNBase:
    """Return PyTorch's own module of a cell, which must have one."""
    named = cell_named(cell)
    assert isinstance(named, TorchCell)
    options = {"num_layers": layers, "batch_first": True, "bidirectional": bidirectional}
    return named.torch_module(input_size, hidden_size, **options)


def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats, of ``(batch,)`` or ``(batch, classes)`` logits."""
    if logits.dim() == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    return torch.nn.functional.cross_entropy(logits, labels)


class PlainLanguageModel(nn.Module):
    """Embedding, recurrent layers and a full softmax, tied to the embedding or not.

    Args:
        cell: "rnn", "gru" or "lstm".
        vocabulary_size: ids to choose from.
        size: components of a word's vector, and units of each layer.
        layers: recurrent layers on top of one another.
        tied: whether words are predicted by the vectors that they are read by.
    """

    def __init__(self, cell: str, vocabulary_size: int, size: int, layers: int, tied: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, size)
        self.network = plain_network(cell, size, size, layers)
        self.decoder = nn.Linear(size, vocabulary_size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        if tied:
            self.decoder.weight = self.embedding.weight

    def forward(
        self, tokens: Tensor, state: Tensor | tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        """Return the logits ``(batch, time, vocabulary)`` and the state after the window, detached."""
        outputs, after = self.network(self.embedding(tokens), state)
        carried = (after[0].detach(), after[1].detach()) if isinstance(after, tuple) else after.detach()
        return self.decoder(outputs), carried


class PlainLoop:
    """Trains and asks a plain language model, with nothing in the loop that the arithmetic does not need.

    A subclass does the same for other models: it says what a batch's loss is, and of how much it is the mean.

    Args:
        model: what to train.
        optimizer: of its parameters.
        clip: the norm to clip the gradient to; None leaves it.
        device: where the model is.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, clip: float | None, device: torch.device
    ) -> None:
        self.model, self.optimizer, self.clip, self.device = model, optimizer, clip, device

    def turn(self, windows: Repeated[Any] | Batches) -> Turn:
        """Walk over the windows twice, training and asking."""
        with PeakMemory(self.device) as peak:
            began = now(self.device)
            loss = self.train(windows)
            trained = now(self.device)
            self.ask(windows)
            asked = now(self.device)
        return Turn(
            training=Pass(trained - began, windows.tokens),
            inference=Pass(asked - trained, windows.tokens),
            loss=loss,
            peak_memory=peak.bytes,
        )

    def train(self, windows: Repeated[Any] | Batches) -> float:
        """Take one step a window; return the mean loss in nats a token."""
        self.model.train()
        parameters = list(self.model.parameters())
        total, counted = torch.zeros((), device=self.device), 0
        state = None
        for window in windows:
            self.optimizer.zero_grad()
            loss, state = self.loss(window, state)
            torch.autograd.backward(loss)
            if self.clip is not None:
                nn.utils.clip_grad_norm_(parameters, self.clip)
            self.optimizer.step()
            total += loss.detach() * self.counted(window)
            counted += self.counted(window)
        return float(total) / counted

    @torch.inference_mode()
    def ask(self, windows: Repeated[Any] | Batches) -> None:
        """Compute the loss of every window."""
        self.model.eval()
        state = None
        for window in windows:
            _, state = self.loss(window, state)

    def counted(self, window: Any) -> int:
        """Return of how many tokens the loss of a window is the mean."""
        return int(window.predicted)

    def loss(self, window: Any, state: Any) -> tuple[Tensor, Any]:
        """Return the window's mean loss and the state after it."""
        tokens, targets = window.inputs.to(self.device), window.targets.to(self.device)
        logits, state = self.model(tokens, None if window.starts else state)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), state


class BareLoop(PlainLoop):
    """The same for a classifier, ``model(tokens, lengths)``, whose mean loss is over batches."""

    @torch.inference_mode()
    def ask(self, windows: Repeated[Any] | Batches) -> None:
        """Compute the logits of every batch, and no loss."""
        self.model.eval()
        for batch in windows:
            tokens, lengths, _, _ = batch.to(self.device)
            self.model(tokens, lengths)

    def counted(self, window: Any) -> int:
        """Return 1: every batch counts alike."""
        return 1

    def loss(self, window: Any, state: Any) -> tuple[Tensor, Any]:
        """Return the batch's mean loss; there is no state."""
        tokens, lengths, labels, _ = window.to(self.device)
        return mean_loss(self.model(tokens, lengths), labels), None

"""A language model as one writes it without rnnlab: ``nn.Embedding``, ``nn.LSTM`` and ``nn.Linear``."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from rnnlab.benchmarks.machine import now
from rnnlab.benchmarks.memory import PeakMemory
from rnnlab.benchmarks.reference_models import plain_network
from rnnlab.benchmarks.turns import Pass, Turn
from rnnlab.data.streams import StreamBatch


class Windows:
    """The first windows of a stream, the same ones for every contestant.

    Args:
        windows: what a loader yielded first; all of their places count.
        sweeps: how many times one iteration goes over them.
    """

    def __init__(self, windows: Sequence[StreamBatch], sweeps: int = 1) -> None:
        self.windows, self.sweeps = list(windows), sweeps
        self.tokens = sweeps * sum(window.predicted for window in self.windows)

    def __len__(self) -> int:
        """Return the number of windows in an iteration."""
        return self.sweeps * len(self.windows)

    def __iter__(self) -> Iterator[StreamBatch]:
        """Yield the windows."""
        for _ in range(self.sweeps):
            yield from self.windows


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

    Args:
        model: what to train.
        optimizer: of its parameters.
        clip: the norm to clip the gradient to; None leaves it.
        device: where the model is.
    """

    def __init__(
        self, model: PlainLanguageModel, optimizer: Optimizer, clip: float | None, device: torch.device
    ) -> None:
        self.model, self.optimizer, self.clip, self.device = model, optimizer, clip, device

    def turn(self, windows: Windows) -> Turn:
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

    def train(self, windows: Windows) -> float:
        """Take one step a window; return the mean loss in nats a token."""
        self.model.train()
        parameters = list(self.model.parameters())
        total = torch.zeros((), device=self.device)
        state = None
        for window in windows:
            self.optimizer.zero_grad()
            loss, state = self.loss(window, state)
            torch.autograd.backward(loss)
            if self.clip is not None:
                nn.utils.clip_grad_norm_(parameters, self.clip)
            self.optimizer.step()
            total += loss.detach() * window.predicted
        return float(total) / windows.tokens

    @torch.inference_mode()
    def ask(self, windows: Windows) -> None:
        """Compute the loss of every window."""
        self.model.eval()
        state = None
        for window in windows:
            _, state = self.loss(window, state)

    def loss(
        self, window: StreamBatch, state: Tensor | tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        """Return the window's mean loss and the state after it."""
        tokens, targets = window.inputs.to(self.device), window.targets.to(self.device)
        logits, state = self.model(tokens, None if window.starts else state)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), state

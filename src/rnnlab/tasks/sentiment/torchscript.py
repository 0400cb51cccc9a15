"""A sentiment classifier as TorchScript, exact under padding.

It needs neither ``PackedSequence`` nor rnnlab's kernels: a network that reads forwards can't see the padding
behind a sequence's end, one that reads backwards reads each sequence turned round within its own length, and
no pooling looks at the padding.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from rnnlab.encoder.pooling import AttentionPooling
from rnnlab.encoder.recurrent import Direction
from rnnlab.graphs.network_parts import embedding_of, module_of, moments_of, stacked
from rnnlab.tasks.sentiment.task import SentimentClassifier


class Forwards(nn.Module):
    """One layer that reads from the start."""

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.network = module_of(direction)

    def forward(self, inputs: Tensor, turned: Tensor) -> Tensor:
        """Return outputs ``(time, batch, hidden)`` of ``inputs (time, batch, size)``."""
        outputs: Tensor = self.network(inputs)[0]
        return outputs


class BothWays(nn.Module):
    """One layer that reads from the start and, beside it, from the end."""

    def __init__(self, forwards: Direction, backwards: Direction) -> None:
        super().__init__()
        self.forwards = module_of(forwards)
        self.backwards = module_of(backwards)

    def forward(self, inputs: Tensor, turned: Tensor) -> Tensor:
        """Return outputs ``(time, batch, 2 * hidden)``; ``turned (time, batch)`` reverses each sequence."""
        from_start: Tensor = self.forwards(inputs)[0]
        from_end: Tensor = self.backwards(in_order(inputs, turned))[0]
        return torch.cat((from_start, in_order(from_end, turned)), dim=2)


class Last(nn.Module):
    """The output where each direction has read it all."""

    def __init__(self, is_bidirectional: bool) -> None:
        super().__init__()
        self.is_bidirectional = is_bidirectional

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool ``outputs (time, batch, size)``."""
        at_end = outputs[lengths - 1, torch.arange(outputs.shape[1], device=outputs.device)]
        if not self.is_bidirectional:
            return at_end
        half = outputs.shape[2] // 2
        return torch.cat((at_end[:, :half], outputs[0, :, half:]), dim=1)


class Mean(nn.Module):
    """The mean over a sequence's tokens."""

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool ``outputs (time, batch, size)``."""
        return outputs.masked_fill(padding(outputs, lengths), 0.0).sum(dim=0) / lengths.unsqueeze(1)


class Highest(nn.Module):
    """The maximum of each feature over a sequence's tokens."""

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool ``outputs (time, batch, size)``."""
        return outputs.masked_fill(padding(outputs, lengths), -float("inf")).amax(dim=0)


class Attention(nn.Module):
    """A learnt weighted mean."""

    def __init__(self, trained: AttentionPooling) -> None:
        super().__init__()
        self.projection, self.context = trained.projection, trained.context

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool ``outputs (time, batch, size)``."""
        outside = padding(outputs, lengths)
        kept = outputs.masked_fill(outside, 0.0)
        scores = self.context(torch.tanh(self.projection(kept))).masked_fill(outside, -float("inf"))
        return (torch.softmax(scores, dim=0) * kept).sum(dim=0)


class PlainClassifier(nn.Module):
    """A trained classifier of PyTorch's own modules alone, in evaluation mode.

    Args:
        task: the trained network.

    Raises:
        ConfigError: if its encoder, cell or pooling is not one of rnnlab's.
    """

    def __init__(self, task: SentimentClassifier) -> None:
        super().__init__()
        stack = stacked(task.encoder, "torchscript")
        self.embedding = embedding_of(task.embedding.weight)
        self.layers = nn.ModuleList(
            BothWays(*directions) if len(directions) == 2 else Forwards(*directions) for directions in stack
        )
        made: dict[str, Callable[[], nn.Module]] = {
            "last": lambda: Last(task.encoder.is_bidirectional),
            "mean": Mean,
            "max": Highest,
            "attention": lambda: Attention(cast(AttentionPooling, task.pooling)),
        }
        moments = moments_of(task.pooling, "torchscript")
        self.moments = nn.ModuleList(made[name]() for name in moments)
        self.classifier = task.classifier
        self.is_binary, self.reads_backward = task.is_binary, task.reads_backward
        self.exclusive = task.exclusive

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, ``(batch,)`` for two classes or ``(batch, classes)``, and probabilities.

        Args:
            tokens: ids ``(batch, time)`` int64, right-padded with any id.
            lengths: tokens of each text ``(batch,)`` int64, each at least 1.
        """
        read = tokens.t()  # (time, batch)
        steps = torch.arange(read.shape[0], device=tokens.device).unsqueeze(1)
        turned = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (time, batch)
        outputs = self.embedding(read.gather(0, turned) if self.reads_backward else read)
        for layer in self.layers:
            outputs = layer(outputs, turned)
        pooled = [moment(outputs, lengths) for moment in self.moments]
        scores = self.classifier(torch.cat(pooled, dim=1))  # (batch, 1 or classes)
        if self.is_binary:
            positive = torch.sigmoid(scores)
            return scores.squeeze(1), torch.cat((1 - positive, positive), dim=1)
        return scores, torch.softmax(scores, dim=1) if self.exclusive else torch.sigmoid(scores)


def padding(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Return where ``outputs (time, batch, size)`` are padding, ``(time, batch, 1)`` bool."""
    steps = torch.arange(outputs.shape[0], device=outputs.device).unsqueeze(1)
    return (steps >= lengths).unsqueeze(2)


def in_order(sequences: Tensor, places: Tensor) -> Tensor:
    """Return ``sequences (time, batch, size)``, each step taken from ``places (time, batch)``."""
    return sequences.gather(0, places.unsqueeze(2).expand_as(sequences))

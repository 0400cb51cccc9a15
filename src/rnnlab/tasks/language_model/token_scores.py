"""Perplexity, counted exactly: over tokens, not over batches."""

import math

import torch
from torch import Tensor
from torchmetrics import Metric


class TokenScores(Metric):
    """Loss, perplexity and accuracy of predicted tokens, over all batches and processes.

    Perplexity is the exponential of the mean negative log-likelihood, each token weighing the same; sums are
    kept in float64. ``compute`` returns

    - ``loss``: nats a token,
    - ``perplexity``: ``exp(loss)``,
    - ``accuracy``: the share of tokens that were the most probable one,
    - ``tokens``: how many were predicted,
    - ``bits_per_character``: ``loss / ln 2``, where a token is a character.

    Args:
        characters: whether a token is a character.
    """

    loss: Tensor
    correct: Tensor
    tokens: Tensor

    def __init__(self, characters: bool = False) -> None:
        super().__init__()
        self.characters = characters
        self.add_state("loss", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("correct", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("tokens", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def names(self) -> list[str]:
        """What ``compute`` returns."""
        own = ["loss", "perplexity", "accuracy", "tokens"]
        return [*own, "bits_per_character"] if self.characters else own

    def update(self, losses: Tensor, correct: Tensor, valid: Tensor | None) -> None:
        """Add a batch: nats and hits of each position (of one shape), and which of them count (None: all)."""
        if valid is not None:
            losses, correct = losses * valid, correct & valid
        self.loss += losses.sum(dtype=torch.float64)
        self.correct += correct.sum()
        self.tokens += losses.numel() if valid is None else valid.sum()

    def compute(self) -> dict[str, Tensor]:
        """Return the figures named above."""
        loss = self.loss / self.tokens
        figures = {
            "loss": loss,
            "perplexity": loss.exp(),
            "accuracy": self.correct / self.tokens,
            "tokens": self.tokens,
        }
        if self.characters:
            figures["bits_per_character"] = loss / math.log(2)
        return figures

"""Which token comes next: greedy, temperature, top-k, top-p."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnlab.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from the model's distribution; the filters apply in the order given here.

    Attributes:
        temperature: 1 draws as the model says, less prefers what is probable; 0 always takes the most
            probable (greedy).
        top_k: draw among that many most probable tokens only; ``None`` for all.
        top_p: draw among the fewest tokens that together have this probability (Holtzman et al. 2020);
            ``None`` or 1 for all.

    Raises:
        ConfigError: if a value is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ConfigError(f"temperature={self.temperature}: expected 0 (greedy) or a number above it.")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top_k={self.top_k}: expected at least 1.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p={self.top_p}: expected a probability above 0 and up to 1.")

    def draw(self, log_probabilities: Tensor, generator: torch.Generator) -> int:
        """Return an id drawn from ``log_probabilities (vocabulary,)``, which need not sum to one."""
        if self.temperature == 0:
            return int(log_probabilities.argmax())
        probabilities = self.filtered(log_probabilities.double().cpu())
        return int(torch.multinomial(probabilities, 1, generator=generator))

    def filtered(self, log_probabilities: Tensor) -> Tensor:
        """Return the probabilities ``(vocabulary,)`` that are drawn from, after temperature and filters."""
        if self.temperature == 0:
            return torch.zeros_like(log_probabilities).index_fill(0, log_probabilities.argmax(), 1.0)
        scores = log_probabilities / self.temperature
        if self.top_k is not None and self.top_k < len(scores):
            kept = scores.topk(self.top_k).indices
            scores = torch.full_like(scores, -torch.inf).index_copy(0, kept, scores[kept])
        probabilities = torch.softmax(scores, dim=0)
        if self.top_p is not None:
            ordered, ids = probabilities.sort(descending=True, stable=True)
            beyond = ordered.cumsum(0) - ordered >= self.top_p
            probabilities = probabilities.index_fill(0, ids[beyond], 0.0)
            probabilities = probabilities / probabilities.sum()
        return probabilities

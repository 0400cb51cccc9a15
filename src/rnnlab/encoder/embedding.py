"""Word vectors with the two kinds of dropout that recurrent networks are trained with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.encoder.backends import lookup_pays
from rnnlab.errors import ConfigError


class WordEmbedding(nn.Module):
    """Ids to vectors: ``(batch, time) -> (batch, time, size)``.

    Args:
        vocabulary_size: rows of the table.
        size: components of a vector.
        dropout: share of the components dropped, independently at each position.
        word_dropout: share of the vocabulary's words whose vectors are zero throughout a batch, scaled so
            that the expectation stays (Gal and Ghahramani 2016).

    Vectors start uniform in [-0.1, 0.1], as in Zaremba et al. (2014): PyTorch's unit normal drowns the
    recurrent state of a small network at first.

    Raises:
        ConfigError: if a vector would have no components.
    """

    def __init__(
        self, vocabulary_size: int, size: int, *, dropout: float = 0.0, word_dropout: float = 0.0
    ) -> None:
        super().__init__()
        if size < 1:
            raise ConfigError(f"task.embedding_size is {size}; expected a whole number from 1.")
        self.weight = nn.Parameter(torch.empty(vocabulary_size, size).uniform_(-0.1, 0.1))
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the vectors of ``tokens (batch, time)``: ``(batch, time, size)``."""
        vectors = self._looked_up(tokens)
        if self.training and self.word_dropout > 0:
            kept = torch.rand(len(self.weight), device=tokens.device) >= self.word_dropout
            vectors = vectors * (kept[tokens] / (1 - self.word_dropout)).unsqueeze(-1).to(vectors.dtype)
        dropped: Tensor = self.dropout(vectors)
        return dropped

    def _looked_up(self, tokens: Tensor) -> Tensor:
        """Look the vectors up, with rnnlab's own gradient where it is the faster."""
        if self.weight.requires_grad and torch.is_grad_enabled() and lookup_pays(tokens, self.weight):
            from rnnlab.kernels.lookup import looked_up

            return looked_up(tokens, self.weight)
        return F.embedding(tokens, self.weight)

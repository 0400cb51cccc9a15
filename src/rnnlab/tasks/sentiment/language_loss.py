"""The language model's loss beside a classifier's, on the same documents.

Predicting the next word keeps a fine-tuned encoder from forgetting the language it learnt (Radford et al.
2018, equation 5); mixed objectives for recurrent classifiers are the subject of Sachan et al. 2019.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from rnnlab.build import check_arguments
from rnnlab.data.batch import beside
from rnnlab.encoder.encoder import Encoder
from rnnlab.errors import ConfigError
from rnnlab.tasks.language_model.decoders import build_decoder
from rnnlab.tasks.sentiment.long_documents import ReadDocuments
from rnnlab.text.vocabulary import EOS_ID


class LanguageLoss(nn.Module):
    """The mean negative log-probability of each document's next tokens, the ``<eos>`` at its end included.

    Args:
        input_size: components of a hidden state.
        embedding: the matrix ``(vocabulary, size)`` that tokens are read by.
        head: ``full`` or ``adaptive``, see :mod:`rnnlab.tasks.language_model.decoders`.
        cutoffs: where the adaptive head's clusters begin.
        tie_weights: predict tokens by the vectors they are read by.
    """

    def __init__(
        self,
        input_size: int,
        embedding: nn.Parameter,
        head: str = "full",
        cutoffs: Sequence[int] | None = None,
        tie_weights: bool = True,
    ) -> None:
        super().__init__()
        self.decoder = build_decoder(
            head,
            input_size=input_size,
            vocabulary_size=len(embedding),
            tied=embedding if tie_weights else None,
            cutoffs=cutoffs,
        )

    def forward(self, parts: list[ReadDocuments], tokens: Tensor, valid: Tensor) -> Tensor:
        """Return the loss ``()`` in nats a token.

        Args:
            parts: the batch as it was read.
            tokens: ids ``(batch, time)`` in the order in which they were read.
            valid: ``(batch,)`` False for a document that only fills a distributed step.
        """
        totals, numbers = [], []
        for part in parts:
            chosen = slice(None) if part.numbers is None else beside(part.numbers, tokens)
            lengths = beside(part.lengths, tokens).unsqueeze(1)
            of_part = tokens[chosen][:, : part.outputs.shape[1]]
            steps = torch.arange(of_part.shape[1], device=tokens.device)
            kept = ((steps < lengths) & valid[chosen].unsqueeze(1)).flatten()
            targets = following(of_part, lengths).flatten()
            losses = self.decoder.losses(part.outputs.flatten(0, 1), targets)
            totals.append((losses * kept).sum())
            numbers.append(kept.sum())
        return torch.stack(totals).sum() / torch.stack(numbers).sum().clamp(min=1)


def following(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return what follows each token ``(batch, time)``: ``<eos>`` after a document's last.

    Args:
        tokens: ids ``(batch, time)``, right-padded.
        lengths: ``(batch, 1)``.
    """
    steps = torch.arange(tokens.shape[1], device=tokens.device)
    return pad(tokens[:, 1:], (0, 1)).masked_fill(steps == lengths - 1, EOS_ID)


def build_language_loss(
    options: Mapping[str, Any], encoder: Encoder, embedding: nn.Parameter
) -> tuple[LanguageLoss | None, float]:
    """Return the loss that ``task.language_loss`` asks for, None where its weight is 0, and the weight.

    Raises:
        ConfigError: if an option is unknown or out of range, or the encoder reads both ways.
    """
    weight = float(options.get("weight", 0.0))
    others = {key: value for key, value in options.items() if key != "weight"}
    facts: dict[str, Any] = {"input_size": encoder.output_size, "embedding": embedding}
    check_arguments(LanguageLoss, others, facts, "task.language_loss")
    if weight < 0:
        raise ConfigError(f"task.language_loss.weight={weight}: expected at least 0.")
    if weight == 0:
        return None, 0.0
    if encoder.is_bidirectional:
        raise ConfigError(
            "task.language_loss predicts each word from those before it; a bidirectional encoder has already "
            "read it. Set model.bidirectional=false or task.language_loss.weight=0."
        )
    return LanguageLoss(**facts, **others), weight

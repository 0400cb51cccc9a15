"""The baseline of language modelling: a Kneser-Ney trigram model of the same ids."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.errors import DataError
from rnnlab.files.array_file import Kind
from rnnlab.tasks.baselines import Arrays, Mixture, Reals, best_weight, kept_arrays, mixed_losses
from rnnlab.tasks.language_model.kneser_ney import KneserNey

log = logging.getLogger(__name__)

ANSWERS = {"validation": Kind("f", 1), "test": Kind("f", 1), "perplexity": Kind("f", 1)}
"""Losses ``(tokens,)`` of two texts in nats, and the perplexity on test."""
_LARGEST_VOCABULARY = 2_000_000  # a trigram's key is a cube of it and must fit 63 bits


def trigram_answers(
    train: NDArray[np.integer[Any]],
    validation: NDArray[np.integer[Any]],
    test: NDArray[np.integer[Any]],
    *,
    vocabulary_size: int,
    before: int,
    key: str,
) -> Arrays | None:
    """Return what Kneser-Ney's trigrams say of two texts, see ``ANSWERS``; None for too large a vocabulary.

    It takes a second a million tokens the first time; the result is kept in the cache.

    Args:
        train: (total,) ids.
        validation: (total,) ids.
        test: (total,) ids.
        vocabulary_size: how many ids there are.
        before: the id that stands before a text's first token, ``<eos>``.
        key: of the encoded corpus, which decides both texts.
    """
    if vocabulary_size > _LARGEST_VOCABULARY:
        return None

    def computed() -> Arrays:
        log.info("Fitting the Kneser-Ney trigrams on %s tokens, once for this corpus.", f"{len(train):,}")
        model = KneserNey(train, vocabulary_size, before=before)
        losses = {"validation": model.losses(validation), "test": model.losses(test)}
        perplexity = np.exp(losses["test"].mean(keepdims=True))
        return {**{name: part.astype(np.float32) for name, part in losses.items()}, "perplexity": perplexity}

    return kept_arrays("trigrams", {"encoded": key, "version": 2}, ANSWERS, computed)


def mixed(
    losses: Mapping[str, Reals], answers: Arrays, weight: float | None = None, split: str = "test"
) -> Mixture:
    """Return a network and the trigrams as one, by the mean of their probabilities.

    Args:
        losses: of the network, of each token of validation and of the split ``(tokens,)`` in nats.
        answers: of the trigrams, see ``ANSWERS``.
        weight: of the trigrams; None for that which is best on validation.
        split: whose figures are told.

    Raises:
        DataError: if only a part of a text was scored.
    """
    if any(len(part) != len(answers[name]) for name, part in losses.items()):
        raise DataError("only a part of a text was scored")
    if weight is None:
        weight = best_weight(
            lambda share: float(mixed_losses(losses["validation"], answers["validation"], share).mean())
        )
    return Mixture(weight, figures_of(mixed_losses(losses[split], answers[split], weight)))


def figures_of(losses: Reals) -> dict[str, float]:
    """Return perplexity and mean loss of tokens."""
    loss = float(losses.mean(dtype=np.float64))
    return {"perplexity": perplexity(loss), "loss": loss}


def perplexity(loss: float) -> float:
    """Return the exponential of a mean loss; infinite where it has none."""
    return math.exp(loss) if loss < 700 else math.inf

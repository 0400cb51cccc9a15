"""The baseline of language modelling: a Kneser-Ney trigram model of the same ids."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.tasks.kept_baselines import Figures, kept
from rnnlab.tasks.language_model.kneser_ney import KneserNey

log = logging.getLogger(__name__)

_LARGEST_VOCABULARY = 2_000_000  # a trigram's key is a cube of it and must fit 63 bits


def language_baselines(
    train: NDArray[np.integer[Any]],
    test: NDArray[np.integer[Any]],
    *,
    vocabulary_size: int,
    before: int,
    key: str,
) -> Figures:
    """Return ``{name: {"perplexity": …}}`` on the test text, fitted on the training text.

    It takes a second a million tokens the first time; the result is kept in the cache.

    Args:
        train: (total,) ids.
        test: (total,) ids.
        vocabulary_size: how many ids there are.
        before: the id that stands before a text's first token, ``<eos>``.
        key: of the encoded corpus, which decides both texts.
    """
    if vocabulary_size > _LARGEST_VOCABULARY:
        return {}
    inputs = {"encoded": key, "version": 1}
    return kept("language", inputs, lambda: computed(train, test, vocabulary_size, before))


def computed(
    train: NDArray[np.integer[Any]], test: NDArray[np.integer[Any]], vocabulary_size: int, before: int
) -> Figures:
    """Fit and score the model."""
    log.info("Fitting the Kneser-Ney trigram baseline on %s tokens, once for this corpus.", f"{len(train):,}")
    model = KneserNey(train, vocabulary_size, before=before)
    return {"Kneser-Ney trigram": {"perplexity": model.perplexity(test)}}

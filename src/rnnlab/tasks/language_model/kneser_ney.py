"""An interpolated Kneser-Ney trigram model over a stream of ids."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """The counts of one order, discounted: what remains of an n-gram and what its context gives away.

    Attributes:
        grams: (grams,) sorted keys, ``context * vocabulary_size + word``.
        shares: (grams,) the discounted count by the context's total.
        contexts: (contexts,) sorted keys.
        given_away: (contexts,) the probability left for the lower order.
    """

    grams: Ids
    shares: Reals
    contexts: Ids
    given_away: Reals

    def interpolated(self, contexts: Ids, words: Ids, lower: Reals, vocabulary_size: int) -> Reals:
        """Return the probability of each word after its context, given that of the lower order."""
        at, seen = found(self.contexts, contexts)
        weight = np.where(seen, self.given_away[at], 1.0)
        at, seen = found(self.grams, contexts * vocabulary_size + words)
        return np.where(seen, self.shares[at], 0.0) + weight * lower


class KneserNey:
    """Trigrams with the three discounts of Chen and Goodman (1998), section 3 ("modified Kneser-Ney").

    ``p(w | u v) = max(c(uvw) - D, 0) / c(uv·) + g(uv) p(w | v)``, where the lower orders count in how many
    different contexts a word was seen, and the lowest is interpolated with the uniform distribution: every
    id of the vocabulary has a probability above zero, and all sum to one.

    Args:
        tokens: (total,) the training text's ids, each below ``vocabulary_size``.
        vocabulary_size: how many ids there are.
        before: the id that stands twice before the first token, ``<eos>``.
    """

    def __init__(self, tokens: NDArray[np.integer[Any]], vocabulary_size: int, *, before: int) -> None:
        self.vocabulary_size = vocabulary_size
        self.before = before
        trigrams, counts = np.unique(self._trigrams(tokens), return_counts=True)
        bigrams, preceding = np.unique(trigrams % vocabulary_size**2, return_counts=True)
        words, of_bigrams = np.unique(bigrams % vocabulary_size, return_counts=True)
        self.levels = [
            level(grams, counted, vocabulary_size)
            for grams, counted in ((words, of_bigrams), (bigrams, preceding), (trigrams, counts))
        ]

    def _trigrams(self, tokens: NDArray[np.integer[Any]]) -> Ids:
        """Return the key of every token with the two before it."""
        ids = np.concatenate([[self.before, self.before], tokens]).astype(np.int64)
        size = self.vocabulary_size
        return (ids[:-2] * size + ids[1:-1]) * size + ids[2:]

    def _probabilities_of(self, trigrams: Ids) -> Reals:
        size = self.vocabulary_size
        words = trigrams % size
        probabilities = np.full(len(trigrams), 1 / size)
        contexts = (np.zeros_like(words), trigrams // size % size, trigrams // size)
        for order, context in zip(self.levels, contexts, strict=True):
            probabilities = order.interpolated(context, words, probabilities, size)
        return probabilities

    def losses(self, tokens: NDArray[np.integer[Any]]) -> Reals:
        """Return the negative log-probability of each token after those before it: (total,) in nats."""
        trigrams, back = np.unique(self._trigrams(tokens), return_inverse=True)
        losses: Reals = -np.log(self._probabilities_of(trigrams))
        return losses[back]

    def distribution(self, second_last: int, last: int) -> Reals:
        """Return the probability of every id after the two given: (vocabulary_size,)."""
        size = self.vocabulary_size
        return self._probabilities_of((second_last * size + last) * size + np.arange(size, dtype=np.int64))


def level(grams: Ids, counts: Ids, vocabulary_size: int) -> Level:
    """Return an order's discounted counts.

    Args:
        grams: (grams,) sorted keys ``context * vocabulary_size + word``.
        counts: (grams,) each at least one.
        vocabulary_size: how many ids there are.
    """
    contexts, context_of = np.unique(grams // vocabulary_size, return_inverse=True)
    totals = np.bincount(context_of, weights=counts)
    taken = discounts(counts)[np.minimum(counts, 3)]
    given_away = np.bincount(context_of, weights=taken) / totals
    return Level(grams, (counts - taken) / totals[context_of], contexts, given_away)


def discounts(counts: Ids) -> Reals:
    """Return what is taken off a count of 0, 1, 2, and 3 or more (Chen and Goodman 1998, equation 26).

    A text too small for the estimate, which divides by the number of n-grams seen once to four times, gets
    0.75 throughout.
    """
    once, twice, thrice, four_times = (int((counts == times).sum()) for times in (1, 2, 3, 4))
    if min(once, twice, thrice, four_times) == 0:
        return np.array([0.0, 0.75, 0.75, 0.75])
    share = once / (once + 2 * twice)
    estimate = [
        1 - 2 * share * twice / once,
        2 - 3 * share * thrice / twice,
        3 - 4 * share * four_times / thrice,
    ]
    return np.array([0.0, *np.clip(estimate, 0.1, [0.9, 1.9, 2.9])])


def found(keys: Ids, wanted: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    """Return where in the sorted ``keys`` each wanted one would be, and whether it is there."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted

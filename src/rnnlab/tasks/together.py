"""A network and the simple method beside it as one: mixed by a weight that the validation split chooses.

The weight is the simple method's share, from 0 (the network alone) to 1, where the mixture's loss on the
validation split is least; the test split is scored with it once.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating[Any]]

TINY = 1e-12
"""No probability is taken for smaller, so that a sure and wrong answer can be mixed, too."""


class Mixture(NamedTuple):
    """What became of a mixture.

    Attributes:
        weight: the simple method's share, chosen on the validation split.
        figures: of the test split.
    """

    weight: float
    figures: Mapping[str, float]

    def as_row(self) -> dict[str, float]:
        """Return it as a row of figures, the weight among them."""
        return {**self.figures, "weight": self.weight}


def best_weight(loss: Callable[[float], float]) -> float:
    """Return where from 0 to 1 a loss that has one valley is least."""
    from scipy.optimize import minimize_scalar  # scipy's part for it takes a while to import

    found = float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4}).x)
    return min((0.0, found, 1.0), key=loss)


def mixed_log_odds(network: Reals, simple: Reals, weight: float) -> Reals:
    """Return log-probabilities whose log-odds are the weighted mean of two classifiers' log-odds.

    Args:
        network: probabilities ``(documents, classes)``.
        simple: likewise.
        weight: of the second.

    Returns:
        ``(documents, classes)`` float64; the probabilities of a document sum to 1.
    """
    logs = [np.log(np.maximum(part.astype(np.float64), TINY)) for part in (network, simple)]
    mixed = (1 - weight) * logs[0] + weight * logs[1]
    top = mixed.max(axis=1, keepdims=True)
    normalised: Reals = mixed - top - np.log(np.exp(mixed - top).sum(axis=1, keepdims=True))
    return normalised


def mixed_losses(network: Reals, simple: Reals, weight: float) -> Reals:
    """Return the losses of tokens whose probability is the weighted mean of two models'.

    Args:
        network: negative log-probabilities ``(tokens,)`` in nats.
        simple: likewise.
        weight: of the second.

    >>> mixed_losses(np.array([1.0, 2.0]), np.array([3.0, 2.0]), 0.0).tolist()
    [1.0, 2.0]
    """
    if weight in (0.0, 1.0):
        return (simple if weight else network).astype(np.float64)
    logs = (np.log1p(-weight) - network.astype(np.float64), np.log(weight) - simple.astype(np.float64))
    losses: Reals = -np.logaddexp(*logs)
    return losses

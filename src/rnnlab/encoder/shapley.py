"""Shapley values: a score's difference from that of nothing, shared out among the words without gradients.

A word's share is its mean effect when the words are put in one after another, over all orders (Shapley 1953).
It is estimated from some random orders (Castro, Gómez and Tejada 2009; Štrumbelj and Kononenko 2014), each
together with its reverse, which lowers the variance (Mitchell et al. 2022). The effects along an order add up
to the whole difference, so the shares do, however few the orders and however the score jumps.
"""

import torch
from torch import Tensor

from rnnlab.encoder.integrated_gradients import PLACES, Attribution, Score

ORDERS = 12
FINEST = 256
"""Groups into which the words of an order are put at most; those of a group share its effect."""


def shapley_values(score: Score, vectors: Tensor, orders: int = ORDERS) -> Attribution:
    """Return each word's share of ``score(vectors) - score(0)``; the same orders are drawn each time.

    Args:
        score: each row of a batch by itself.
        vectors: ``(time, size)``.
        orders: even.
    """
    time = len(vectors)
    chance = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(time, generator=chance) for _ in range(orders // 2)]
    shares = sum(
        (effects_in_order(score, vectors, order) for half in drawn for order in (half, half.flip(0))),
        torch.zeros(time, dtype=torch.float64),
    )
    shares = shares / (2 * len(drawn))
    return Attribution(shares.to(vectors), float(shares.sum()), steps=0, orders=orders)


@torch.no_grad()
def effects_in_order(score: Score, vectors: Tensor, order: Tensor) -> Tensor:
    """Return by how much the score rises when each word is put in, the others before it in their places.

    Args:
        score: each row of a batch by itself.
        vectors: ``(time, size)``; zeros stand for what is not put in yet.
        order: ``(time,)``, a permutation.

    Returns:
        ``(time,)`` float64.
    """
    time = len(vectors)
    groups = min(time, FINEST)
    group_of = torch.empty(time, dtype=torch.int64)
    group_of[order] = torch.arange(time) * groups // time
    scores = []
    for known in torch.split(torch.arange(groups + 1), max(1, PLACES // time)):
        is_in = (group_of < known[:, None]).to(vectors)  # (rows, time)
        scores.append(score(is_in[:, :, None] * vectors).double().cpu())
    effects = torch.cat(scores).diff()
    return (effects / torch.bincount(group_of, minlength=groups))[group_of]

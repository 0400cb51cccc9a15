"""A score's difference from that of nothing, shared out among the words: by gradients, by Shapley."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

FEWEST, MOST = 32, 1024  # steps of the integral
TOLERANCE, ACCEPTED = 0.005, 0.02  # of the difference: what is aimed at, and what will do
PLACES = 1 << 14  # words of all steps that are computed together
NARROWEST = 1e-6  # of the way: with steps below, neighbouring points are hardly told apart in float32

Score = Callable[[Tensor], Tensor]
"""Vectors ``(batch, time, size)`` to scores ``(batch,)``."""


class Attribution(NamedTuple):
    """Each word's share, and how exact it is.

    Attributes:
        shares: ``(time,)``.
        difference: the score minus that of zero vectors, what the shares should add up to.
        steps: in how many steps the integral was taken.
        orders: of Shapley values: in how many orders words were put in.
    """

    shares: Tensor
    difference: float
    steps: int
    orders: int = 0

    @property
    def adds_up(self) -> bool:
        """Whether the shares tell the difference."""
        missed = abs(float(self.shares.sum(dtype=torch.float64)) - self.difference)
        return missed <= ACCEPTED * abs(self.difference)

    @property
    def method(self) -> str:
        """How the shares were found, in a sentence."""
        if self.orders:
            return (
                f"Shapley values of the words, zero vectors until they are put in, from {self.orders} orders "
                "(the score jumps too often for integrated gradients)."
            )
        return f"Integrated gradients over the embeddings, from zero vectors, in {self.steps} steps."


class Parts(NamedTuple):
    """Parts of the way from 0 to 1, one after another or not.

    Attributes:
        starts: ``(parts,)`` float64.
        widths: ``(parts,)`` float64.
        slopes: ``(parts, time)`` float64, what each word adds to the score's slope in the middle.
        rises: ``(parts,)`` float64, the score at the end less that at the start.
    """

    starts: Tensor
    widths: Tensor
    slopes: Tensor
    rises: Tensor

    @property
    def shares(self) -> Tensor:
        """Each word's share ``(time,)``, a midpoint sum."""
        return self.widths @ self.slopes

    @property
    def misses(self) -> Tensor:
        """How far the slope in the middle is from telling each part's rise ``(parts,)``."""
        return (self.widths * self.slopes.sum(dim=1) - self.rises).abs()


def integrated_gradients(score: Score, vectors: Tensor, most_steps: int = MOST) -> Attribution:
    """Return each word's share of ``score(vectors) - score(0)``.

    The integral is a midpoint sum over equal steps. A network that reads hundreds of words goes over from one
    answer to the other within a thousandth of the way, so steps are then cut in three wherever they miss the
    score's own rise, until the shares add up to the difference within ``TOLERANCE``, as long as they are at
    most ``most_steps``.

    Args:
        score: differentiable; each row of a batch by itself.
        vectors: ``(time, size)``.
        most_steps: the most steps; below ``FEWEST``, the only ones.
    """
    count = min(FEWEST, most_steps)
    parts = measured(score, vectors, torch.arange(count, dtype=torch.float64) / count, 1 / count)
    difference = float(parts.rises.sum())
    while abs(float(parts.shares.sum()) - difference) > TOLERANCE * abs(difference):
        finer = cut(parts, TOLERANCE * abs(difference), most_steps)
        if finer is None:
            break
        parts = refined(score, vectors, parts, finer)
    return Attribution(parts.shares.to(vectors), difference, len(parts.starts))


def cut(parts: Parts, allowed: float, most_steps: int) -> Tensor | None:
    """Return which parts are to be cut in three ``(cut,)``, those first that miss the most; None for none.

    Args:
        parts: so far.
        allowed: how far all of them may miss together.
        most_steps: how many parts there may be.
    """
    count = len(parts.starts)
    misses = torch.where(parts.widths > NARROWEST, parts.misses, 0.0)
    chosen = misses.argsort(descending=True, stable=True)[: (most_steps - count) // 2]
    chosen = chosen[misses[chosen] > allowed / count]
    return chosen if len(chosen) else None


def refined(score: Score, vectors: Tensor, parts: Parts, chosen: Tensor) -> Parts:
    """Return the parts with the chosen ones cut in three; the slope in the middle third is there already."""
    kept = torch.ones(len(parts.starts), dtype=torch.bool)
    kept[chosen] = False
    starts, widths = parts.starts[chosen], parts.widths[chosen] / 3
    outer = measured(score, vectors, torch.cat((starts, starts + 2 * widths)), torch.cat((widths, widths)))
    left, right = outer.rises.chunk(2)
    middle = Parts(starts + widths, widths, parts.slopes[chosen], parts.rises[chosen] - left - right)
    rest = Parts(*(part[kept] for part in parts))
    return Parts(*(torch.cat(three) for three in zip(rest, outer, middle, strict=True)))


def measured(score: Score, vectors: Tensor, starts: Tensor, widths: Tensor | float) -> Parts:
    """Return parts of the way with what the score does there."""
    widths = torch.zeros_like(starts) + widths
    slopes, low, high = [], [], []
    most = max(1, PLACES // len(vectors))
    for at, width in zip(torch.split(starts, most), torch.split(widths, most), strict=True):
        slopes.append(word_slopes(score, vectors, at + width / 2))
        with torch.no_grad():
            low.append(score(points(vectors, at)))
            high.append(score(points(vectors, at + width)))
    rises = torch.cat(high).double().cpu() - torch.cat(low).double().cpu()
    return Parts(starts, widths, torch.cat(slopes), rises)


def points(vectors: Tensor, places: Tensor) -> Tensor:
    """Return ``(places, time, size)``, shares of ``vectors``."""
    return places.to(vectors)[:, None, None] * vectors


def word_slopes(score: Score, vectors: Tensor, places: Tensor) -> Tensor:
    """Return what each word adds to the score's slope along the way, ``(places, time)`` float64."""
    at = points(vectors, places).requires_grad_()
    # cuDNN takes no gradient through a recurrent network in evaluation mode.
    with torch.backends.cudnn.flags(enabled=False):
        (gradient,) = torch.autograd.grad(score(at).sum(), at)
    return (gradient.double() * vectors.double()).sum(dim=2).cpu()


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

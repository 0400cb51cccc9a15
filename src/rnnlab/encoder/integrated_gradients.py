"""Integrated gradients: a score's difference from that of nothing, shared out among the words.

Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", equation 1: with vectors ``x``
and score ``F``, word ``t`` gets ``sum_e x_te * integral over a in [0, 1] of dF(a x) / dx_te``. The shares add
up to ``F(x) - F(0)`` (their proposition 1, completeness).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

FEWEST, MOST = 32, 4096  # steps of the integral
TOLERANCE = 0.005  # of the difference
PLACES = 1 << 14  # words of all steps that are computed together

Score = Callable[[Tensor], Tensor]
"""Vectors ``(batch, time, size)`` to scores ``(batch,)``."""


class Attribution(NamedTuple):
    """Each word's share, and how exact it is.

    Attributes:
        shares: ``(time,)``.
        difference: the score minus that of zero vectors, what the shares should add up to.
        steps: in how many steps the integral was taken.
    """

    shares: Tensor
    difference: float
    steps: int


def integrated_gradients(score: Score, vectors: Tensor, most_steps: int = MOST) -> Attribution:
    """Return each word's share of ``score(vectors) - score(0)``.

    The integral is a midpoint sum; its steps are tripled until the shares add up to the difference within
    ``TOLERANCE``, as long as they are at most ``most_steps``. Tripling keeps the midpoints that are there.

    Args:
        score: differentiable; each row of a batch by itself.
        vectors: ``(time, size)``.
        most_steps: the most steps; below ``FEWEST``, the only ones.
    """
    with torch.no_grad():
        at_end, at_start = score(torch.stack((vectors, torch.zeros_like(vectors)))).tolist()
    difference = at_end - at_start
    steps = min(FEWEST, most_steps)
    slopes = sum_of_gradients(score, vectors, midpoints(steps, vectors))
    while True:
        shares = (vectors * slopes).sum(dim=1) / steps
        missed = abs(float(shares.sum(dtype=torch.float64)) - difference)
        if missed <= TOLERANCE * abs(difference) or steps * 3 > most_steps:
            return Attribution(shares, difference, steps)
        finer = midpoints(3 * steps, vectors)
        new = torch.arange(3 * steps, device=vectors.device) % 3 != 1  # every third was there before
        slopes = slopes + sum_of_gradients(score, vectors, finer[new])
        steps *= 3


def midpoints(steps: int, like: Tensor) -> Tensor:
    """Return the middles of ``steps`` equal parts of [0, 1]."""
    return (torch.arange(steps, device=like.device, dtype=like.dtype) + 0.5) / steps


def sum_of_gradients(score: Score, vectors: Tensor, places: Tensor) -> Tensor:
    """Return the sum ``(time, size)`` of the score's gradients at ``places``, shares of ``vectors``."""
    total = torch.zeros_like(vectors)
    # cuDNN takes no gradient through a recurrent network in evaluation mode.
    with torch.backends.cudnn.flags(enabled=False):
        for part in torch.split(places, max(1, PLACES // len(vectors))):
            points = (part[:, None, None] * vectors).requires_grad_()
            (gradient,) = torch.autograd.grad(score(points).sum(), points)
            total += gradient.sum(dim=0)
    return total

"""The gradient of looking up word vectors: each word's is the sum over the places where it stands.

PyTorch adds place by place, too, but calls a routine for vectors at each, which takes longer than adding up
32 numbers. Each thread here adds for words of its own, in the order of their places: no two write to the same
row, and no bit of the sums depends on how many threads there are.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rnnlab.kernels.compiler import Kernel, compiled, numbers_of, types
from rnnlab.kernels.room import room
from rnnlab.kernels.team import claim, openmp, team_of
from rnnlab.kernels.vectors import add_row, place_in_matrix


def looked_up(tokens: Tensor, weight: Tensor) -> Tensor:
    """Return ``F.embedding(tokens, weight)``, with a faster gradient.

    Args:
        tokens: integers of any shape.
        weight: ``(words, size)``, float32 or float64, on the CPU.

    Returns:
        ``tokens.shape + (size,)``.
    """
    found: Tensor = _Lookup.apply(weight, tokens)
    return found


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, tokens: Tensor) -> Tensor:
        backward.begin(numbers_of(weight))  # beside the forward pass, if it is to be compiled
        ctx.words = len(weight)
        ctx.save_for_backward(tokens)
        return F.embedding(tokens, weight)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None]:
        (tokens,) = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the gradients is wanted
            return torch.ops.aten.embedding_dense_backward(slopes, tokens, ctx.words, -1, False), None
        size = slopes.shape[-1]
        slopes = slopes.reshape(-1, size).contiguous()
        total = room(ctx.words, size, like=slopes).zero_()
        places = tokens.reshape(-1).to(torch.int64)
        backward.of(numbers_of(slopes))(
            openmp(), torch.get_num_threads(), places.numpy(), slopes.numpy(), total.numpy()
        )
        return total, None


@compiled
def _add_up(counter: Any, shares: int, places: Any, slopes: Any, total: Any) -> None:
    """Add the rows of ``slopes`` for the words of a share of the vocabulary, share by share."""
    size = slopes.shape[1]
    while True:
        share = claim(counter, 1)
        if share >= shares:
            break
        for place in range(len(places)):
            word = places[place]
            if word & (shares - 1) == share:
                add_row(place_in_matrix(total, word), place_in_matrix(slopes, place), size, total)


_run = team_of(_add_up)


def _lookup_backward(team: int, threads: int, places: Any, slopes: Any, total: Any) -> None:
    """``total[places[i]] += slopes[i]`` for every i.

    Args:
        team: see ``team.openmp``.
        threads: how many work on it.
        places: ``(count,)`` rows of ``total``.
        slopes: ``(count, size)``.
        total: ``(words, size)``.
    """
    counter = np.zeros(1, np.int64)
    shares = 1  # a power of two: every word takes part in a division by it
    while shares < threads:
        shares *= 2
    _run(team, threads, (counter, shares, places, slopes, total))


def _types(number: Any) -> tuple[Any, ...]:
    matrix = types.Array(number, 2, "C")
    return types.intp, types.intp, types.Array(types.int64, 1, "C"), matrix, matrix


backward = Kernel(_lookup_backward, _types, "lookup backward", elsewhere=__name__)

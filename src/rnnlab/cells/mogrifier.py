"""The mogrifier (Melis et al. 2020): before an ordinary step, input and state gate one another by turns.

From the state h and the input x, in rounds 1, 2..., with * for the product of elements, s for the sigmoid::

    x <- 2 s(Q_i h) * x          in every odd round i
    h <- 2 s(R_i x) * h          in every even round

and then the step of the cell within, which sees the h and x that came out. (An LSTM's memory takes no part.)
With a rank k the matrices are products, ``Q_i = Q_i,left Q_i,right`` through k numbers.

The input looks at the state, so its own product can't be had for all tokens at once: a step has two products
more than the cell within, and one for each round.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnnlab.cells.cell import Cell, State, Step, Weights
from rnnlab.cells.gru import Gru
from rnnlab.cells.lstm import Lstm
from rnnlab.cells.rnn import Rnn
from rnnlab.errors import ConfigError, nearest

INNER: dict[str, type[Cell]] = {"lstm": Lstm, "gru": Gru, "rnn": Rnn}


class Mogrifier(Cell):
    """``model.cell=mogrifier``: the parameters of the cell within and ``input * hidden`` a round.

    (Or ``rank (input + hidden)`` a round.)

    Args:
        inner: the cell within, "lstm", "gru" or "rnn".
        rounds: how often input and state gate one another, 5 or 6 in the paper; 0 is the cell within alone.
        rank: of the matrices; None for full matrices.

    Raises:
        ConfigError: if there is no such cell, or a number is out of range.
    """

    name = "mogrifier"
    year = 2020
    colour = "#CC79A7"

    def __init__(self, inner: str = "lstm", rounds: int = 5, rank: int | None = None) -> None:
        if inner not in INNER:
            raise ConfigError(f"model.inner={inner} is unknown. {nearest(str(inner), INNER)}")
        if rounds < 0:
            raise ConfigError(f"model.rounds={rounds}: expected a whole number from 0.")
        if rank is not None and rank < 1:
            raise ConfigError(
                f"model.rank={rank}: expected a whole number from 1, or null for full matrices."
            )
        self.inner = INNER[inner]()
        self.rounds = rounds
        self.rank = rank
        self.blocks = self.inner.blocks
        self.states = self.inner.states
        self.remembering_gate = self.inner.remembering_gate

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the cell within, and of each round's matrix or its two factors."""
        shapes = dict(self.inner.parameters(input_size, hidden_size))
        for number in range(1, self.rounds + 1):
            sizes = (input_size, hidden_size) if number % 2 else (hidden_size, input_size)
            if self.rank is None:
                shapes[f"mogrify_{number}"] = sizes
            else:
                shapes[f"mogrify_{number}_left"] = (sizes[0], self.rank)
                shapes[f"mogrify_{number}_right"] = (self.rank, sizes[1])
        return shapes

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        """Return the inputs as they are: what they give to a step hangs on the state."""
        return inputs

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step; see the equations above."""
        token, (hidden, *others) = given, states
        for number, gating in enumerate(self._rounds(weights), start=1):
            seen = hidden if number % 2 else token
            for matrix in gating:
                seen = linear(seen, matrix)
            if number % 2:
                token = 2 * torch.sigmoid(seen) * token
            else:
                hidden = 2 * torch.sigmoid(seen) * hidden
        return self.inner.step(self.inner.project(token, weights), (hidden, *others), weights)

    def _rounds(self, weights: Weights) -> Iterator[list[Tensor]]:
        """Yield the matrices that each round multiplies by, one after another."""
        for number in range(1, self.rounds + 1):
            ends = ("",) if self.rank is None else ("_right", "_left")
            yield [weights[f"mogrify_{number}{end}"] for end in ends]

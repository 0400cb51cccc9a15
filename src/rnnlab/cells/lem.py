"""Long expressive memory (Rusch et al. 2022): two states that move at paces of their own, unit by unit.

It discretises a differential equation of several time scales. From the output h (y in the paper), the memory
c (z there) and the input x, with * for the product of elements and s for the sigmoid::

    d = D s(W_id x + b_d + W_hd h)          how far the memory moves
    e = D s(W_ie x + b_e + W_he h)          how far the output moves
    g = tanh(W_ig x + b_g + W_hg h)         where the memory goes
    c' = (1 - d) * c + d * g
    h' = (1 - e) * h + e * tanh(W_in x + b_n + W_ch c')
"""

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnnlab.cells.cell import Cell, State, Step, Weights
from rnnlab.errors import ConfigError


class Lem(Cell):
    """``model.cell=lem``: ``4 hidden (input + hidden + 1)`` parameters.

    Args:
        step_size: D, the largest step of either state; above 0 and at most 1.

    Raises:
        ConfigError: if it is out of range.
    """

    name = "lem"
    blocks = ("memory_pace", "hidden_pace", "memory", "candidate")
    states = ("hidden", "memory")
    year = 2022
    colour = "#8C564B"

    def __init__(self, step_size: float = 1.0) -> None:
        if not 0 < step_size <= 1:
            raise ConfigError(f"model.step_size={step_size}: expected a number above 0 and at most 1.")
        self.step_size = step_size

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes: three blocks see the output, ``weight_ch`` the memory."""
        return {
            "weight_ih": (4 * hidden_size, input_size),
            "weight_hh": (3 * hidden_size, hidden_size),
            "weight_ch": (hidden_size, hidden_size),
            "bias_ih": (4 * hidden_size,),
        }

    def recurrent_matrices(self, weights: Weights) -> dict[str, Tensor]:
        """Return the square matrices, by block; that of the candidate takes the memory to the output."""
        matrices = (*weights["weight_hh"].chunk(3), weights["weight_ch"])
        return dict(zip(self.blocks, matrices, strict=True))

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step; see the equations above."""
        hidden, memory = states
        *seeing, candidate = given.chunk(4, dim=1)
        own = linear(hidden, weights["weight_hh"]).chunk(3, dim=1)
        paces = [self.step_size * torch.sigmoid(seeing[at] + own[at]) for at in range(2)]
        goal = torch.tanh(seeing[2] + own[2])
        new = memory + paces[0] * (goal - memory)  # torch.lerp takes no numbers of two types, as autocast has
        candidate = torch.tanh(candidate + linear(new, weights["weight_ch"]))
        return Step(
            (hidden + paces[1] * (candidate - hidden), new),
            dict(zip(self.blocks, paces, strict=False)),
            {"memory": goal, "candidate": candidate},
        )

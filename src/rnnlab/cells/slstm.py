"""The scalar LSTM with exponential gating of xLSTM (Beck et al. 2024, equations 8 to 17).

From the state h, the memory c, the normaliser n, the stabiliser m and the input x, with * for the product of
elements and s for the sigmoid::

    z = tanh(W_iz x + b_z + R_z h)          the candidate
    i = exp(i~),  i~ = W_ii x + b_i + R_i h         input gate
    f = s(f~),    f~ = W_if x + b_f + R_f h         forget gate
    o = s(W_io x + b_o + R_o h)             output gate
    m' = max(log f + m, i~)
    c' = exp(log f + m - m') * c + exp(i~ - m') * z
    n' = exp(log f + m - m') * n + exp(i~ - m')
    h' = o * c' / n'

c / n is a mean of the candidates, weighted by the gates: m changes nothing of it and keeps exp in its range.
Before the first token n is 0 and m says nothing: there m' = i~, so that n' is 1 and not what may round to 0.
R is block-diagonal: the units of one head see one another, and not those of another head.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from rnnlab.cells.cell import Cell, State, Step, Weights
from rnnlab.errors import ConfigError


class Slstm(Cell):
    """``model.cell=slstm``: ``4 hidden (input + hidden / heads + 1)`` parameters.

    Args:
        heads: into which the units fall; the hidden size is a multiple of it.

    Raises:
        ConfigError: if it is below 1.
    """

    name = "slstm"
    blocks = ("candidate", "input", "forget", "output")
    states = ("hidden", "memory", "normaliser", "stabiliser")
    remembering_gate = "forget"
    year = 2024
    colour = "#E69F00"

    def __init__(self, heads: int = 4) -> None:
        if heads < 1:
            raise ConfigError(f"model.heads={heads}: expected a whole number from 1.")
        self.heads = heads
        self.multiple_of = heads

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes; ``weight_hh (blocks * hidden, hidden / heads)``, a row for what a unit sees."""
        rows = 4 * hidden_size
        return {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size // self.heads),
            "bias_ih": (rows,),
        }

    def recurrent_matrices(self, weights: Weights) -> dict[str, Tensor]:
        """Return the block-diagonal matrices in full, by block."""
        parts = weights["weight_hh"].chunk(4)
        whole = [torch.block_diag(*part.chunk(self.heads)) for part in parts]  # type: ignore[no-untyped-call]
        return dict(zip(self.blocks, whole, strict=True))

    @torch.no_grad()
    def initialize(self, weights: Weights, initialization: str, forget_bias: float | None) -> None:
        """Start as :meth:`Cell.initialize` says; orthogonal is each head's own matrix."""
        if initialization == "orthogonal":
            for head in weights["weight_hh"].chunk(4 * self.heads):
                nn.init.orthogonal_(head)
        super().initialize(weights, "uniform", forget_bias)

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step; see the equations above."""
        hidden, memory, normaliser, stabiliser = states
        candidate, enter, forget, leave = (given + self._recurrent(hidden, weights)).chunk(4, dim=1)
        candidate, leave = torch.tanh(candidate), torch.sigmoid(leave)
        kept = torch.where(normaliser == 0, enter, logsigmoid(forget) + stabiliser)
        highest = torch.maximum(kept, enter)
        keep, let_in = torch.exp(kept - highest), torch.exp(enter - highest)
        new = keep * memory + let_in * candidate
        weight = keep * normaliser + let_in
        gates = {"forget": torch.sigmoid(forget), "output": leave}
        return Step((leave * new / weight, new, weight, highest), gates, {"candidate": candidate})

    def _recurrent(self, hidden: Tensor, weights: Weights) -> Tensor:
        """Return each head's product with its own matrices, ``(batch, blocks * hidden)``."""
        matrix = weights["weight_hh"]
        size = matrix.shape[1]
        heads = matrix.view(4, self.heads, size, size)
        return torch.einsum("bhi,ghoi->bgho", hidden.view(-1, self.heads, size), heads).flatten(1)

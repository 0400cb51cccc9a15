"""The simple recurrent unit (Lei et al. 2018): a state that its inputs gate, and a way past it.

From the state c and the input x, with * for the product of elements and s for the sigmoid::

    n = W_n x + b_n                 the candidate
    f = s(W_f x + b_f)              forget: how much of the past stays
    r = s(W_r x + b_r)              reset: how much of the state is shown
    c' = f * c + (1 - f) * n
    h' = r * c' + (1 - r) * (W_s x + b_s)           what the layer above reads

The gates see the inputs alone, as in the first version of the paper (2017, "Training RNNs as fast as CNNs").
The second adds ``v * c`` within both sigmoids, and then no product with the inputs decides by what the state
is scaled. Input and output may differ in size, so the input goes past the state through a matrix W_s. One
layer and direction has ``4 hidden (input + 1)`` parameters.
"""

import torch
from torch import Tensor

from rnnlab.cells.cell import ElementwiseCell, Terms, Weights


class Sru(ElementwiseCell):
    """``model.cell=sru``."""

    name = "sru"
    blocks = ("candidate", "forget", "reset", "skip")
    remembering_gate = "forget"
    year = 2018
    colour = "#661100"
    fused = "rnnlab.kernels.elementwise_gates.SRU"

    def terms(self, given: Tensor, weights: Weights) -> Terms:
        """Return f and ``(1 - f) * n``."""
        candidate, forget, reset, _ = given.chunk(4, dim=-1)
        forget = torch.sigmoid(forget)
        gates = {"forget": forget, "reset": torch.sigmoid(reset)}
        return Terms(forget, (1 - forget) * candidate, gates)

    def read(self, hidden: Tensor, given: Tensor, weights: Weights) -> Tensor:
        """Return the state and what went past it, weighed by r."""
        _, _, reset, skip = given.chunk(4, dim=-1)
        return skip + torch.sigmoid(reset) * (hidden - skip)

"""minGRU (Feng et al. 2024, "Were RNNs all we needed?"): a GRU whose gate and candidate see the input alone.

From the state h and the input x, with * for the product of elements and s for the sigmoid::

    z = s(W_z x + b_z)              update: how much of the past stays
    n = W_n x + b_n                 the candidate
    h' = (1 - z) * n + z * h

z is named as in ``nn.GRU``: where it is 1 the state stays; the paper's z is 1 - z. One layer and direction
has ``2 hidden (input + 1)`` parameters, a GRU ``3 hidden (input + hidden + 2)``.

This is the plain form (the paper's appendix A). The other one there computes with logarithms, so that all
steps can be had at once by a scan of prefix sums, and for that candidates and h_0 must be positive: they go
through a function g (x + 0.5 above 0, a sigmoid below) first. A loop over numbers needs no logarithms, so
there is no g here: the state can be negative, its gradient does not vanish at zero, and a state that is
carried from one window to the next goes on as it is, and not through g a second time.
"""

import torch
from torch import Tensor

from rnnlab.cells.cell import ElementwiseCell, Terms, Weights


class MinGru(ElementwiseCell):
    """``model.cell=mingru``."""

    name = "mingru"
    blocks = ("update", "candidate")
    remembering_gate = "update"
    year = 2024
    colour = "#882255"
    fused = "rnnlab.kernels.elementwise_gates.MINGRU"

    def terms(self, given: Tensor, weights: Weights) -> Terms:
        """Return z and ``(1 - z) * n``."""
        update, candidate = given.chunk(2, dim=-1)
        update = torch.sigmoid(update)
        return Terms(update, (1 - update) * candidate, {"update": update})

"""minLSTM (Feng et al. 2024): gates and candidate see the input alone, and the two gates share the state out.

From the state h and the input x, with * for the product of elements and s for the sigmoid::

    f = s(W_f x + b_f)              forget
    i = s(W_i x + b_i)              input
    n = W_n x + b_n                 the candidate
    h' = (f * h + i * n) / (f + i)

One layer and direction has ``3 hidden (input + 1)`` parameters. It is the plain form, for the reasons that
``mingru.py`` gives. The quotient ``f / (f + i)`` is computed as ``s(log f - log i)``, which does not divide
zero by zero where both gates are shut.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rnnlab.cells.cell import ElementwiseCell, Terms, Weights


class MinLstm(ElementwiseCell):
    """``model.cell=minlstm``."""

    name = "minlstm"
    blocks = ("forget", "input", "candidate")
    remembering_gate = "forget"
    year = 2024
    colour = "#AA4499"
    fused = "rnnlab.kernels.elementwise_gates.MINLSTM"

    def terms(self, given: Tensor, weights: Weights) -> Terms:
        """Return the shares of the past and of the candidate, the second times the candidate."""
        forget, entry, candidate = given.chunk(3, dim=-1)
        kept = torch.sigmoid(logsigmoid(forget) - logsigmoid(entry))
        gates = {"forget": torch.sigmoid(forget), "input": torch.sigmoid(entry)}
        return Terms(kept, (1 - kept) * candidate, gates)

"""The gated recurrent unit (Cho et al. 2014), in the form of ``nn.GRU``.

From the state h and the input x, with * for the product of elements and s for the sigmoid::

    r = s(W_ir x + b_ir + W_hr h + b_hr)            reset: how much of the past the candidate sees
    z = s(W_iz x + b_iz + W_hz h + b_hz)            update: how much of the past stays
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))   the candidate
    h' = (1 - z) * n + z * h

(Cho et al. multiply h by r before the product with W_hn; PyTorch, and cuDNN, after it.)
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rnnlab.cells.cell import Nodes, OnnxOperator, State, Step, TorchCell, Weights


class Gru(TorchCell):
    """``model.cell=gru``."""

    name = "gru"
    blocks = ("reset", "update", "candidate")
    remembering_gate = "update"
    bias_apart = ("candidate",)  # the reset gate stands between its two biases
    year = 2014
    colour = "#009E73"
    fused = "rnnlab.kernels.gru.SCAN"
    module = nn.GRU
    keeps_outputs = False

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step; see the equations above."""
        (hidden,) = states
        given_r, given_z, given_n = given.chunk(3, dim=1)
        own_r, own_z, own_n = (hidden @ weights["weight_hh"].T + weights["bias_hh"]).chunk(3, dim=1)
        reset, update = torch.sigmoid(given_r + own_r), torch.sigmoid(given_z + own_z)
        candidate = torch.tanh(given_n + reset * own_n)
        new = (1 - update) * candidate + update * hidden
        return Step((new,), {"reset": reset, "update": update}, {"candidate": candidate})

    @property
    def functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """PyTorch's functions over all steps, and over one."""
        return torch.gru, torch.gru_cell

    def onnx_operator(self, directions: int) -> OnnxOperator:
        """``GRU``, of which the gates are in the order z r h."""
        return OnnxOperator("GRU", (1, 0, 2), {"linear_before_reset": 1})

    def onnx_step(
        self, body: Nodes, given: str, recurrent: str, states: Sequence[str], bias: Tensor
    ) -> list[str]:
        """Add ``n + z (h - n)`` with ``n = tanh(x_n + r (h_n + b))``."""
        moved = body.add("Add", recurrent, body.constant(bias))
        parts = (body.add_several("Split", part, names=3, axis=1) for part in (given, moved))
        (reset, update, new), (own_reset, own_update, own_new) = parts
        opened = body.add("Sigmoid", body.add("Add", reset, own_reset))
        kept = body.add("Sigmoid", body.add("Add", update, own_update))
        candidate = body.add("Tanh", body.add("Add", new, body.add("Mul", opened, own_new)))
        change = body.add("Mul", kept, body.add("Sub", states[0], candidate))
        return [body.add("Add", candidate, change)]

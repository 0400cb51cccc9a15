"""Long short-term memory with layer normalisation (Ba et al. 2016, equations 20 to 22).

With N for normalisation over a layer's numbers to mean 0 and deviation 1 (one mean for all four gates), * for
the product of elements, s for the sigmoid, and gains a that are learnt::

    (i, f, g, o) = a_i * N(W_i x) + a_h * N(W_h h) + b
    c' = s(f) * c + s(i) * tanh(g)
    h' = s(o) * tanh(a_c * N(c') + b_c)

The paper has a bias in each of the first two normalisations, too; three that only add up are one here.
"""

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from rnnlab.cells.cell import Cell, State, Step, Weights

GAINS = ("gain_ih", "gain_hh", "gain_memory")


class LayerNormLstm(Cell):
    """``model.cell=layernorm_lstm``: ``4 hidden (input + hidden + 3) + 2 hidden`` parameters."""

    name = "layernorm_lstm"
    blocks = ("input", "forget", "candidate", "output")
    states = ("hidden", "memory")
    remembering_gate = "forget"
    year = 2016
    colour = "#56B4E9"

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes: gains and biases beside the two matrices."""
        shapes = super().parameters(input_size, hidden_size)
        rows = shapes["bias_ih"]
        own = (hidden_size,)
        return {**shapes, "gain_ih": rows, "gain_hh": rows, "gain_memory": own, "bias_memory": own}

    @torch.no_grad()
    def initialize(self, weights: Weights, initialization: str, forget_bias: float | None) -> None:
        """Start as :meth:`Cell.initialize` says, the gains at 1 and the biases at 0."""
        for name in ("bias_ih", "bias_memory"):
            weights[name].zero_()
        for name in GAINS:
            weights[name].fill_(1)
        super().initialize(weights, initialization, forget_bias)

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        """Return the normalised products of all tokens."""
        products = linear(inputs, weights["weight_ih"])
        return layer_norm(products, products.shape[-1:], weights["gain_ih"], weights["bias_ih"])

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step; see the equations above."""
        hidden, memory = states
        product = linear(hidden, weights["weight_hh"])
        total = given + layer_norm(product, product.shape[-1:], weights["gain_hh"])
        enter, forget, candidate, leave = total.chunk(4, dim=1)
        gates = {
            "input": torch.sigmoid(enter),
            "forget": torch.sigmoid(forget),
            "output": torch.sigmoid(leave),
        }
        candidate = torch.tanh(candidate)
        new = gates["forget"] * memory + gates["input"] * candidate
        shown = torch.tanh(layer_norm(new, new.shape[-1:], weights["gain_memory"], weights["bias_memory"]))
        return Step((gates["output"] * shown, new), gates, {"candidate": candidate, "memory": shown})

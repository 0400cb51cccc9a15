"""The quasi-recurrent network (Bradbury et al. 2017): gates of a convolution along time, and fo-pooling.

From the state c and the inputs x of a token and of the one read before it (``model.window=2``; of the token
alone with ``model.window=1``), with * for the product of elements and s for the sigmoid::

    z = tanh(W_z x + V_z x_before + b_z)    the candidate
    f = s(W_f x + V_f x_before + b_f)       forget: how much of the past stays
    o = s(W_o x + V_o x_before + b_o)       output
    c' = f * c + (1 - f) * z
    h' = o * c'                             what the layer above reads

Before the first token lie zeros. One layer and direction has ``3 hidden (window * input + 1)`` parameters:
``weight_ih`` holds ``[W V]``. With a window of two ``previous``, ``V x`` of the last token, is a state beside
c: a text cut into windows, or read a token at a time, comes out as if it were read in one go.

``model.zoneout`` is the share of the numbers of c that stay what they were at a token, drawn anew for each
number and token in training: there f is 1. Out of training f is what it is on average,
``f + zoneout * (1 - f)`` (as the authors' program has it; their equation is without it).
"""

import copy

import torch
from torch import Tensor

from rnnlab.cells.cell import ElementwiseCell, Terms, Weights
from rnnlab.errors import ConfigError


class Qrnn(ElementwiseCell):
    """``model.cell=qrnn``.

    Args:
        window: tokens that the gates see, 1 or 2.
        zoneout: share of the state's numbers that stay what they were.

    Raises:
        ConfigError: if either is out of range.
    """

    name = "qrnn"
    blocks = ("candidate", "forget", "output")
    remembering_gate = "forget"
    year = 2017
    colour = "#999933"

    def __init__(self, window: int = 1, zoneout: float = 0.0) -> None:
        if window not in (1, 2):
            raise ConfigError(f"model.window={window}: the qrnn cell's gates see 1 token or 2.")
        if not 0 <= zoneout < 1:
            raise ConfigError(f"model.zoneout={zoneout}: expected a share from 0 to below 1.")
        self.window, self.zoneout = window, float(zoneout)
        self.looks_back = window == 2
        self.is_training = False
        self.states = ("hidden", "previous") if self.looks_back else ("hidden",)

    @property
    def fused(self) -> str | None:  # type: ignore[override]
        """Zoneout changes a gate between its sigmoid and its use."""
        return "rnnlab.kernels.elementwise_gates." + ("REAL" if self.zoneout else "QRNN")

    def in_training(self) -> "Qrnn":
        """Return the cell that draws what stays."""
        trained = copy.copy(self)
        trained.is_training = True
        return trained

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]:
        """Return the width of c and, with a window of two, of what the last token gives the next."""
        return (hidden_size, 3 * hidden_size)[: self.window]

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return ``weight_ih (3 * hidden, window * input)`` and ``bias_ih (3 * hidden,)``."""
        return {"weight_ih": (3 * hidden_size, self.window * input_size), "bias_ih": (3 * hidden_size,)}

    def projection(self, weights: Weights) -> tuple[Tensor, Tensor | None]:
        """Return W and b and, with a window of two, below it V, which is for the next token."""
        matrix, bias = super().projection(weights)
        if not self.looks_back:
            return matrix, bias
        bias = None if bias is None else torch.cat((bias, torch.zeros_like(bias)))
        return torch.cat(matrix.chunk(2, dim=1)), bias

    def terms(self, given: Tensor, weights: Weights) -> Terms:
        """Return f and ``(1 - f) * z``."""
        candidate, forget, output = given.chunk(3, dim=-1)
        candidate, forget, output = torch.tanh(candidate), torch.sigmoid(forget), torch.sigmoid(output)
        kept = self._zoned(forget)
        gates = {"forget": forget, "output": output}
        return Terms(kept, (1 - kept) * candidate, gates, {"candidate": candidate})

    def read(self, hidden: Tensor, given: Tensor, weights: Weights) -> Tensor:
        """Return ``o * c``."""
        return torch.sigmoid(given.chunk(3, dim=-1)[2]) * hidden

    def _zoned(self, forget: Tensor) -> Tensor:
        if self.zoneout == 0:
            return forget
        if not self.is_training:
            return forget + self.zoneout * (1 - forget)
        return torch.where(torch.rand_like(forget) < self.zoneout, 1, forget)

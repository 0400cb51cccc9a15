"""The linear recurrent unit (Orvieto et al. 2023): a complex diagonal, and no nonlinearity in time.

From the complex state x and the input u, with * for the product of elements, Re for the real part::

    x' = exp(-exp(nu) + i exp(theta)) * x + exp(gamma) * (B u)
    y = Re(C x') + D u                      what the layer above reads

The exponentials keep every factor of the state within the unit circle, whatever training does to nu. In the
beginning the factors lie evenly on the ring between the radii ``model.r_min`` and ``model.r_max``, at angles
from 0 to ``model.max_phase``, and ``exp(gamma) = sqrt(1 - |factor|^2)``, so that a state driven by noise has
the size of the noise, however slowly it fades.

Complex numbers are kept as real parts, then imaginary parts: the state is ``(batch, 2 * hidden)``, B
(``weight_ih``) ``(2 * hidden, input)``, C (``weight_out``) ``(hidden, 2 * hidden)``. D (``weight_skip``) is a
matrix ``(hidden, input)``, as input and output may differ in size; the paper's, of equal sizes, is diagonal.
One layer and direction has ``3 hidden * input + 2 hidden^2 + 3 hidden`` parameters.

y is linear in all inputs, and so is a stack of such layers. The paper's blocks have a norm, a gated linear
unit and a residual around each: ``model.norm=layer model.gated=true model.residual=true``.
"""

import math

import torch
from torch import Tensor, nn

from rnnlab.cells.cell import ElementwiseCell, Terms, Weights
from rnnlab.errors import ConfigError


class Lru(ElementwiseCell):
    """``model.cell=lru``.

    Args:
        r_min: the smallest absolute value of a factor in the beginning.
        r_max: the largest.
        max_phase: the largest angle, in radians.

    Raises:
        ConfigError: if they make no ring within the unit circle.
    """

    name = "lru"
    blocks = ("real", "imaginary")
    is_complex = True
    year = 2023
    colour = "#332288"
    fused = "rnnlab.kernels.elementwise_gates.COMPLEX"

    def __init__(self, r_min: float = 0.0, r_max: float = 1.0, max_phase: float = 2 * math.pi) -> None:
        if not 0 <= r_min < r_max <= 1:
            raise ConfigError(
                f"model.r_min={r_min} model.r_max={r_max}: expected radii from 0 to 1, the second larger; "
                "beyond 1 the state would grow without bound."
            )
        if not 0 < max_phase <= 2 * math.pi:
            raise ConfigError(f"model.max_phase={max_phase}: expected an angle above 0, up to 2 pi (6.2832).")
        self.r_min, self.r_max, self.max_phase = float(r_min), float(r_max), float(max_phase)

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]:
        """Return the width of x, real and imaginary parts."""
        return (2 * hidden_size,)

    def output_size(self, hidden_size: int) -> int:
        """Return the width of y."""
        return hidden_size

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of B, C, D, and of nu, theta and gamma."""
        return {
            "weight_ih": (2 * hidden_size, input_size),
            "weight_out": (hidden_size, 2 * hidden_size),
            "weight_skip": (hidden_size, input_size),
            **dict.fromkeys(("nu", "theta", "gamma"), (hidden_size,)),
        }

    @torch.no_grad()
    def initialize(self, weights: Weights, initialization: str, forget_bias: float | None) -> None:
        """Start the factors on the ring, and the matrices as the paper does, normal by their inputs."""
        hidden, features = weights["weight_skip"].shape
        for name, inputs in (("weight_ih", 2 * features), ("weight_out", hidden), ("weight_skip", features)):
            nn.init.normal_(weights[name], std=1 / math.sqrt(inputs))
        least = torch.finfo(weights["nu"].dtype).tiny
        area = torch.rand_like(weights["nu"]) * (self.r_max**2 - self.r_min**2) + self.r_min**2
        area.clamp_(least, 1 - 1e-6)  # squares of radii; neither 0 nor 1 has the logarithms
        weights["nu"].copy_((-0.5 * area.log()).log())
        weights["theta"].copy_((torch.rand_like(area) * self.max_phase).clamp_(least).log())
        weights["gamma"].copy_(0.5 * (1 - area).log())

    def projection(self, weights: Weights) -> tuple[Tensor, None]:
        """Return ``exp(gamma) * B``, real and imaginary parts, and D, one above the other."""
        scale = weights["gamma"].exp().repeat(2).unsqueeze(1)
        return torch.cat((scale * weights["weight_ih"], weights["weight_skip"])), None

    def division(self, width: int) -> int:
        """Return how much B gives."""
        return width // 3 * 2

    def terms(self, given: Tensor, weights: Weights) -> Terms:
        """Return the factors, the same at every token, and what B gives."""
        radius, phase = (-weights["nu"].exp()).exp(), weights["theta"].exp()
        return Terms(torch.cat((radius * phase.cos(), radius * phase.sin())), given)

    def read(self, hidden: Tensor, given: Tensor, weights: Weights) -> Tensor:
        """Return ``Re(C x) + D u``."""
        real, imaginary = weights["weight_out"].chunk(2, dim=1)
        matrix = torch.cat((real, -imaginary), dim=1).t()
        return torch.addmm(given.flatten(0, -2), hidden.flatten(0, -2), matrix).view_as(given)

"""Each window's targets on a scale of their own, and the forecast back on that of training."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rnnlab.errors import ConfigError, nearest

WINDOW_SCALINGS = ("none", "standard", "last", "revin")
EPSILON = 1e-5
"""Added to a window's variance, as Kim et al. 2022 do: a window may be constant."""


class Scaled(NamedTuple):
    """A window's targets, and what undoes their scaling: ``shift + scale * values``.

    Attributes:
        values: ``(batch, look_back, targets)``.
        shift: ``(batch, 1, targets)``.
        scale: ``(batch, 1, targets)``, above 0.
    """

    values: Tensor
    shift: Tensor
    scale: Tensor


class WindowScaling(nn.Module):
    """Scales a look-back by itself.

    ``none`` leaves it. ``last`` subtracts its last value (Zeng et al. 2023, NLinear). ``standard`` gives it
    mean 0 and deviation 1. ``revin`` does so and learns a gain and an offset for each target, which the
    forecast undoes (Kim et al. 2022).

    Args:
        kind: one of these.
        targets: how many.

    Raises:
        ConfigError: if it is none of these.
    """

    def __init__(self, kind: str, targets: int) -> None:
        super().__init__()
        if kind not in WINDOW_SCALINGS:
            raise ConfigError(f"task.scaling={kind}. {nearest(kind, WINDOW_SCALINGS)}")
        self.kind = kind
        if kind == "revin":
            self.log_gain = nn.Parameter(torch.zeros(targets))  # its exponential stays positive
            self.offset = nn.Parameter(torch.zeros(targets))

    def forward(self, values: Tensor, known: Tensor | None = None) -> Scaled:
        """Return the scaled look-back ``(batch, look_back, targets)``.

        Args:
            values: what is not known is the last known value.
            known: bool of the same shape; None where all is known.
        """
        last = values[:, -1:]
        one = torch.ones_like(last)
        if self.kind == "none":
            return Scaled(values, torch.zeros_like(last), one)
        if self.kind == "last":
            return Scaled(values - last, last, one)
        weights = torch.ones_like(values) if known is None else known.to(values.dtype)
        count = weights.sum(dim=1, keepdim=True).clamp(min=1)
        mean = (values * weights).sum(dim=1, keepdim=True) / count
        variance = ((values - mean).square() * weights).sum(dim=1, keepdim=True) / count
        shift, scale = mean, (variance + EPSILON).sqrt()
        if self.kind == "revin":
            scale = scale / self.log_gain.exp()
            shift = mean - self.offset * scale
        return Scaled((values - shift) / scale, shift, scale)

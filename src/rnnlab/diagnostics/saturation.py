"""What a recurrent layer is like: gates stuck open or shut, tanh at its limits, spectral radius."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnlab.encoder.trace import LayerTrace

SHUT, OPEN = 0.1, 0.9


@dataclass(frozen=True)
class GateSaturation:
    """What a gate does over all units and real tokens of a batch.

    Attributes:
        mean: its mean value.
        shut: the share of values below 0.1.
        open: the share of values above 0.9.
    """

    mean: float
    shut: float
    open: float


@dataclass(frozen=True)
class LayerSaturation:
    """The saturation in one layer and direction.

    Attributes:
        gates: by the gate's name.
        squashed: the share of tanh values beyond plus or minus 0.9, where little gradient passes, by name.
    """

    gates: dict[str, GateSaturation]
    squashed: dict[str, float]


def saturation(layer: LayerTrace, lengths: Tensor | None = None) -> LayerSaturation:
    """Measure the gates and tanh units of a layer; padding does not count.

    Args:
        layer: of a trace.
        lengths: ``(batch,)`` as given for the trace; None where every sequence fills the time axis.
    """
    return LayerSaturation(
        gates={name: _gate(_real(values, lengths)) for name, values in layer.gates.items()},
        squashed={
            name: float((_real(values, lengths).abs() > OPEN).double().mean())
            for name, values in layer.squashed.items()
        },
    )


def _gate(values: Tensor) -> GateSaturation:
    shut, wide = (values < SHUT).double().mean(), (values > OPEN).double().mean()
    return GateSaturation(float(values.double().mean()), float(shut), float(wide))


def _real(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the values of the real tokens, ``(tokens, hidden)``."""
    if lengths is None:
        return values.flatten(0, 1)
    places = torch.arange(values.shape[1], device=values.device)
    return values[places < lengths.to(values.device).unsqueeze(1)]


def spectral_radius(matrix: Tensor) -> float:
    """Return the largest absolute eigenvalue; NaN where the matrix has an entry that is no number.

    Below 1 a linear network forgets, above 1 it explodes; with a squashing function between the steps a
    radius above 1 is necessary, not sufficient, for gradients to grow (Pascanu et al. 2013, section 2.1).

    Args:
        matrix: ``(hidden, hidden)``.

    Raises:
        ValueError: if it is not square.
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix has shape {tuple(matrix.shape)}; expected (hidden, hidden).")
    fine = matrix.detach().cpu().double()
    if not bool(fine.isfinite().all()):
        return float("nan")
    return float(torch.linalg.eigvals(fine).abs().max())

"""How many gates are stuck open or shut, and how many tanh units at their limits.

The limits are those of Karpathy, Johnson and Fei-Fei 2015 (Visualizing and understanding recurrent
networks): a gate below 0.1 is shut, above 0.9 open.
"""

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

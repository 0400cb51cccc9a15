"""Window scaling, encoder, decoder and loss as one network: from a window to a forecast's parameters.

Where it scales, each window's targets are on a scale of their own, and the forecast back on that of training.
"""

from typing import Any

import torch
from torch import Tensor, nn

from rnnlab.encoder.dropout import check_shares
from rnnlab.errors import ConfigError, nearest
from rnnlab.tasks.forecasting.decoders import Decoder, Direct, Recursive, Segments, Shape
from rnnlab.tasks.forecasting.losses import Loss

WINDOW_SCALINGS = ("none", "standard", "last", "revin")
EPSILON = 1e-5
"""Added to a window's variance, as Kim et al. 2022 do: a window may be constant."""


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

    def forward(self, values: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scaled look-back ``(batch, look_back, targets)``, and what undoes it: shift and scale.

        Both are ``(batch, 1, targets)``: ``shift + scale * scaled``, the scale above 0.

        Args:
            values: what is not known is the last known value.
            known: bool of the same shape; None where all is known.
        """
        last = values[:, -1:]
        one = torch.ones_like(last)
        if self.kind == "none":
            return values, torch.zeros_like(last), one
        if self.kind == "last":
            return values - last, last, one
        weights = torch.ones_like(values) if known is None else known.to(values.dtype)
        count = weights.sum(dim=1, keepdim=True).clamp(min=1)
        mean = (values * weights).sum(dim=1, keepdim=True) / count
        variance = ((values - mean).square() * weights).sum(dim=1, keepdim=True) / count
        shift, scale = mean, (variance + EPSILON).sqrt()
        if self.kind == "revin":
            scale = scale / self.log_gain.exp()
            shift = mean - self.offset * scale
        return (values - shift) / scale, shift, scale


DECODERS = ("direct", "recursive", "segments")


class ForecastNetwork(nn.Module):
    """From a look-back, and what is known ahead of time, to the parameters of a forecast.

    Args:
        encoder: keeps the encoders' contract; reads ``decoder.input_size`` features.
        decoder: turns what was read into numbers for the horizon.
        loss: says what these numbers are.
        scaling: of each window by itself: ``none``, ``standard``, ``last`` or ``revin``.

    Raises:
        ConfigError: if the scaling does not go with the loss.
    """

    def __init__(self, encoder: Any, decoder: Decoder, loss: Loss, scaling: str) -> None:
        super().__init__()
        if loss.counts and scaling != "none":
            raise ConfigError(
                f"task.scaling={scaling} shifts numbers below zero, and task.loss=negative_binomial is of "
                "counts: set task.scaling=none and batches.scaling=mean."
            )
        self.encoder = encoder
        self.decoder = decoder
        self.loss = loss
        self.window_scaling = WindowScaling(scaling, decoder.shape.targets)
        decoder.attach(encoder)

    def forward(self, inputs: Tensor, ahead: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return parameters ``(batch, horizon, targets, size)`` on the scale of training.

        Args:
            inputs: ``(batch, look_back, columns)`` on that scale.
            ahead: what is known ahead of time ``(batch, horizon, ahead)``.
            truth: what happened ``(batch, horizon, targets)``, for a decoder that is taught with it; NaN
                where it is not known.
        """
        shape = self.decoder.shape
        count = shape.targets
        known = None
        if shape.marks:
            first = count + shape.past + shape.ahead
            known = inputs[:, :, first : first + count] > 0.5
        values, shift, scale = self.window_scaling(inputs[:, :, :count], known)
        seen = torch.cat((values, inputs[:, :, count:]), dim=2)
        taught = None if truth is None else (truth - shift) / scale
        raw = self.decoder(self.encoder, seen, ahead, self.point_of_raw, taught)
        return self.loss.moved(self.loss.parameters(raw), shift, scale)

    def point_of_raw(self, raw: Tensor) -> Tensor:
        """Return the one number that the head's numbers say."""
        return self.loss.point(self.loss.parameters(raw))


def build_decoder(name: str, shape: Shape, *, segment: int, embedding_size: int, dropout: float) -> Decoder:
    """Return a decoder.

    Args:
        name: of :data:`DECODERS`.
        shape: the sizes.
        segment: of ``segments``.
        embedding_size: of ``segments``.
        dropout: before the readout.

    Raises:
        ConfigError: if there is none of this name, or an argument does not fit.
    """
    if name not in DECODERS:
        raise ConfigError(f"task.decoder={name}. {nearest(name, DECODERS)}")
    check_shares("task", dropout=dropout)
    if name == "segments":
        return Segments(shape, segment, embedding_size, dropout)
    return Direct(shape, dropout) if name == "direct" else Recursive(shape, dropout)

"""Window scaling, encoder, decoder and loss as one network: from a window to a forecast's parameters."""

from typing import Any

import torch
from torch import Tensor, nn

from rnnlab.errors import ConfigError, nearest
from rnnlab.tasks.forecasting.decoders import Decoder, Direct, Recursive, Shape
from rnnlab.tasks.forecasting.losses import Loss
from rnnlab.tasks.forecasting.segments import Segments
from rnnlab.tasks.forecasting.window_scaling import WindowScaling

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
    if not 0 <= dropout < 1:
        raise ConfigError(f"task.dropout={dropout}: expected a share from 0 to below 1.")
    if name == "segments":
        return Segments(shape, segment, embedding_size, dropout)
    return Direct(shape, dropout) if name == "direct" else Recursive(shape, dropout)

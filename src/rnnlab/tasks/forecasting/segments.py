"""The decoder of SegRNN: segments instead of steps, and the whole horizon at once."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.errors import ConfigError
from rnnlab.tasks.forecasting.decoders import Decoder, Point, Shape


class Segments(Decoder):
    """SegRNN (Lin et al. 2023): segments of the look-back are steps, and those of the horizon come at once.

    Each target is read by itself, with the same weights ("channel-independent"). After the last segment the
    state takes one step for each segment of the horizon, from an input that says which segment and which
    target it is, and a linear readout gives the segment's values::

        look-back  [ 24 ][ 24 ][ 24 ][ 24 ] -> state -> (position 1, target) -> [ 24 ]
                                                     -> (position 2, target) -> [ 24 ]   the horizon

    Covariates are more than the paper has: a segment of them is embedded and added to the segment's
    embedding, for all targets alike.

    Args:
        shape: the sizes.
        segment: steps of a segment; divides the look-back.
        embedding_size: features of an embedded segment.
        dropout: share of the encoder's features dropped before the readout.

    Raises:
        ConfigError: if the segment does not divide the look-back.
    """

    def __init__(self, shape: Shape, segment: int, embedding_size: int, dropout: float = 0.5) -> None:
        super().__init__(shape)
        if segment < 1 or shape.look_back % segment:
            divisors = [n for n in range(1, shape.look_back + 1) if not shape.look_back % n]
            near = sorted(divisors, key=lambda n: abs(n - segment))[:3]
            raise ConfigError(
                f"task.segment={segment} does not divide data.look_back={shape.look_back}: "
                f"take one of {', '.join(map(str, sorted(near)))}."
            )
        self.segment, self.dropout = segment, dropout
        self.embedding_size = embedding_size
        self.ahead_segments = -(-shape.horizon // segment)
        self.embed = nn.Linear(segment, embedding_size)
        if shape.covariates:
            self.embed_covariates = nn.Linear(segment * shape.covariates, embedding_size, bias=False)
        if shape.ahead:
            self.embed_ahead = nn.Linear(segment * shape.ahead, embedding_size, bias=False)
        half = embedding_size // 2
        self.positions = nn.Parameter(torch.randn(self.ahead_segments, embedding_size - half))
        self.channels = nn.Parameter(torch.randn(shape.targets, half))

    @property
    def input_size(self) -> int:
        """Features of an embedded segment."""
        return self.embedding_size

    def attach(self, encoder: Any) -> None:
        """Make the readout of one segment."""
        self.readout = nn.Linear(encoder.output_size, self.segment * self.shape.size)

    def forward(
        self, encoder: Any, inputs: Tensor, ahead: Tensor, point: Point, truth: Tensor | None = None
    ) -> Tensor:
        """Return the head's numbers ``(batch, horizon, targets, size)``; the truth is not looked at."""
        batch, channels, later = len(inputs), self.shape.targets, self.ahead_segments
        _, state = encoder(self.embedded(inputs).flatten(0, 1))  # (batch * channels, segments, embedding)
        queries = self.queries(ahead)  # (batch or 1, channels, later, embedding)
        branched = getattr(encoder, "branched", lambda *given: None)
        outputs = branched(queries.flatten(0, 1).transpose(0, 1), state)
        if outputs is None:
            asked = queries.expand(batch, channels, later, -1).reshape(batch * channels * later, 1, -1)
            outputs = encoder(asked, None, spread(state, later))[0][:, 0]
        else:
            outputs = outputs.transpose(0, 1).flatten(0, 1)
        dropped = F.dropout(outputs, self.dropout, self.training)
        said: Tensor = self.readout(dropped)  # (batch * channels * later, segment * size)
        said = said.view(batch, channels, later * self.segment, self.shape.size)
        return said[:, :, : self.shape.horizon].transpose(1, 2)

    def embedded(self, inputs: Tensor) -> Tensor:
        """Return the look-back's segments of each target, ``(batch, targets, segments, embedding)``."""
        targets = self.shape.targets
        values = inputs[:, :, :targets].transpose(1, 2).reshape(len(inputs), targets, -1, self.segment)
        embedded: Tensor = self.embed(values)
        if self.shape.covariates:
            count = self.shape.look_back // self.segment
            beside = inputs[:, :, targets:].reshape(len(inputs), count, -1)
            embedded = embedded + self.embed_covariates(beside).unsqueeze(1)
        return embedded.relu()

    def queries(self, ahead: Tensor) -> Tensor:
        """Return what asks for each segment of the horizon, ``(batch, targets, segments, embedding)``.

        Where nothing is known ahead of time, it is the same for all windows: then the batch is 1.
        """
        channels, later = self.shape.targets, self.ahead_segments
        positions = self.positions.expand(channels, later, -1)
        asked = torch.cat((positions, self.channels.unsqueeze(1).expand(channels, later, -1)), dim=2)
        if not self.shape.ahead:
            return asked.unsqueeze(0)
        missing = later * self.segment - self.shape.horizon
        known = F.pad(ahead, (0, 0, 0, missing)).reshape(len(ahead), later, -1)
        embedded: Tensor = self.embed_ahead(known)
        return asked + embedded.unsqueeze(1)


def spread(state: Any, times: int) -> Any:
    """Return a state ``(layers, batch, width)``, or several, with each sequence's repeated next to itself."""
    if isinstance(state, Tensor):
        return state.repeat_interleave(times, dim=1)
    return tuple(spread(part, times) for part in state)

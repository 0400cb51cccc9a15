"""From what an encoder has read to numbers for each step of the horizon.

Inputs hold, at each step, ``targets``, then covariates: those known up to now, those known ahead of time,
and, where values are missing, whether each was known. Of the horizon only what is known ahead of time is
given.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.errors import ConfigError

Point = Callable[[Tensor], Tensor]
"""From a head's numbers ``(..., size)`` to the one number ``(...)`` that they say."""


@dataclass(frozen=True)
class Shape:
    """Sizes that data and loss decide.

    Attributes:
        look_back: steps that are read.
        horizon: steps that are forecast.
        targets: numbers of a step that are forecast.
        past: covariates of a step that are known up to now.
        ahead: covariates of a step that are known ahead of time.
        marks: whether each target and past covariate was known is told, too.
        size: numbers that the head gives for each target and step.
    """

    look_back: int
    horizon: int
    targets: int
    past: int = 0
    ahead: int = 0
    marks: bool = False
    size: int = 1

    @property
    def covariates(self) -> int:
        """Columns of the inputs behind the targets."""
        marks = self.targets + self.past if self.marks else 0
        return self.past + self.ahead + marks

    @property
    def columns(self) -> int:
        """Columns of the inputs."""
        return self.targets + self.covariates


class Decoder(nn.Module, ABC):
    """Reads a window with an encoder and gives the head's numbers.

    Args:
        shape: the sizes.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Features of a step that the encoder reads."""

    @abstractmethod
    def attach(self, encoder: Any) -> None:
        """Make what follows an encoder.

        Raises:
            ConfigError: if the decoder can't go on from such an encoder.
        """

    @abstractmethod
    def forward(
        self, encoder: Any, inputs: Tensor, ahead: Tensor, point: Point, truth: Tensor | None = None
    ) -> Tensor:
        """Return the head's numbers ``(batch, horizon, targets, size)``.

        Args:
            encoder: keeps the encoders' contract.
            inputs: ``(batch, look_back, columns)``.
            ahead: ``(batch, horizon, ahead)``.
            point: what the numbers say.
            truth: what happened ``(batch, horizon, targets)``, NaN where it is not known; None in use.
        """


class Direct(Decoder):
    """One linear readout of all steps of the horizon, from what was read and all that is known ahead.

    Args:
        shape: the sizes.
        dropout: share of the encoder's features dropped before the readout.
    """

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__(shape)
        self.dropout = dropout

    @property
    def input_size(self) -> int:
        """All columns of a step."""
        return self.shape.columns

    def attach(self, encoder: Any) -> None:
        """Make the readout."""
        shape = self.shape
        known = encoder.output_size + shape.horizon * shape.ahead
        self.readout = nn.Linear(known, shape.horizon * shape.targets * shape.size)

    def forward(
        self, encoder: Any, inputs: Tensor, ahead: Tensor, point: Point, truth: Tensor | None = None
    ) -> Tensor:
        """Return the head's numbers ``(batch, horizon, targets, size)``; the truth is not looked at."""
        outputs, _ = encoder(inputs)
        read = F.dropout(read_whole(outputs, encoder.is_bidirectional), self.dropout, self.training)
        shape = self.shape
        known = torch.cat((read, ahead.flatten(1)), dim=1)
        said: Tensor = self.readout(known)
        return said.view(-1, shape.horizon, shape.targets, shape.size)


class Recursive(Decoder):
    """Says the next step, reads it as if it had happened, and goes on.

    At each step the encoder also reads what is known ahead of the next. While it trains, the next step it
    reads is, with a probability of ``forcing``, what really happened (Williams and Zipser 1989; below 1,
    scheduled sampling, Bengio et al. 2015).

    Args:
        shape: the sizes.
        dropout: share of the encoder's features dropped before the readout.

    Attributes:
        forcing: the probability.
        has_gaps: whether values of the truth that is given next are missing; None where they are to be looked
            at, for which a GPU would be waited for.

    Raises:
        ConfigError: if covariates are known only up to now: there are none to go on with.
    """

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__(shape)
        self.dropout = dropout
        self.forcing = 1.0
        self.has_gaps: bool | None = None
        if shape.past:
            raise ConfigError(
                "task.decoder=recursive goes on from its own forecast, and the covariates in "
                "data.corpus.past are not known there. Take task.decoder=direct or segments, or name them in "
                "data.corpus.future."
            )

    @property
    def input_size(self) -> int:
        """All columns of a step, and what is known ahead of the next."""
        return self.shape.columns + self.shape.ahead

    def attach(self, encoder: Any) -> None:
        """Make the readout of one step."""
        if encoder.is_bidirectional:
            raise ConfigError(
                "task.decoder=recursive reads on step by step, which an encoder that also reads from the end "
                "can't. Set model.bidirectional=false, or task.decoder=direct, whose encoder sees the "
                "look-back alone and may read it both ways."
            )
        self.readout = nn.Linear(encoder.output_size, self.shape.targets * self.shape.size)

    def forward(
        self, encoder: Any, inputs: Tensor, ahead: Tensor, point: Point, truth: Tensor | None = None
    ) -> Tensor:
        """Return the head's numbers ``(batch, horizon, targets, size)``."""
        targets, first = self.shape.targets, self.shape.targets + self.shape.past
        known = inputs[:, 1:, first : first + self.shape.ahead]
        outputs, state = encoder(torch.cat((inputs, torch.cat((known, ahead[:, :1]), dim=1)), dim=2))
        if truth is not None and self.forcing >= 1 and not self._has_gaps(truth):
            rest = self.step_inputs(truth[:, :-1], ahead[:, :-1], ahead[:, 1:])
            following, _ = encoder(rest, None, state) if rest.shape[1] else (rest[:, :, :0], None)
            last = outputs[:, -1:]
            return self.read(torch.cat((last, following), dim=1) if rest.shape[1] else last)
        said = [self.read(outputs[:, -1:])]
        for step in range(1, self.shape.horizon):
            value = point(said[-1])
            if truth is not None:
                happened = truth[:, step - 1 : step]
                is_forced = torch.rand(len(value), 1, 1, device=value.device) < self.forcing
                value = torch.where(is_forced & ~torch.isnan(happened), happened, value)
            given = self.step_inputs(value, ahead[:, step - 1 : step], ahead[:, step : step + 1])
            outputs, state = encoder(given, None, state)
            said.append(self.read(outputs))
        assert said[0].shape[2] == targets
        return torch.cat(said, dim=1)

    def _has_gaps(self, truth: Tensor) -> bool:
        return bool(torch.isnan(truth).any()) if self.has_gaps is None else self.has_gaps

    def step_inputs(self, values: Tensor, now: Tensor, following: Tensor) -> Tensor:
        """Return what the encoder reads at steps of the horizon ``(batch, steps, input_size)``."""
        marks = [torch.ones_like(values)] if self.shape.marks else []
        return torch.cat((values, now, *marks, following), dim=2)

    def read(self, outputs: Tensor) -> Tensor:
        """Return the head's numbers ``(batch, steps, targets, size)`` from the encoder's outputs."""
        dropped = F.dropout(outputs, self.dropout, self.training)
        found: Tensor = self.readout(dropped)
        return found.view(*found.shape[:2], self.shape.targets, self.shape.size)


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


def read_whole(outputs: Tensor, is_bidirectional: bool) -> Tensor:
    """Return the outputs ``(batch, size)`` after the whole look-back: of the way back, at its first step."""
    if not is_bidirectional:
        return outputs[:, -1]
    half = outputs.shape[2] // 2
    return torch.cat((outputs[:, -1, :half], outputs[:, 0, half:]), dim=1)


def spread(state: Any, times: int) -> Any:
    """Return a state ``(layers, batch, width)``, or several, with each sequence's repeated next to itself."""
    if isinstance(state, Tensor):
        return state.repeat_interleave(times, dim=1)
    return tuple(spread(part, times) for part in state)

"""From a sound to what an encoder reads: log-mel frames, normalised, several of them a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rnnlab.build import check_arguments
from rnnlab.corpora.sound import Sound, resampled
from rnnlab.errors import ConfigError, nearest
from rnnlab.signals.log_mel import Floats, LogMel, stacked

NORMALISE = ("recording", "speaker", "corpus")
"""Over what features are normalised."""
_SMALLEST = 1e-3
"""A deviation below which a band is taken for constant."""


class Statistics(NamedTuple):
    """Mean and deviation of each band, ``(bands,)`` float32."""

    mean: Floats
    deviation: Floats

    def normalised(self, frames: Floats) -> Floats:
        """Return frames ``(frames, bands)`` with mean 0 and deviation 1."""
        found: Floats = (frames - self.mean) / self.deviation
        return found


def statistics(parts: Sequence[Floats]) -> Statistics:
    """Return mean and deviation of each band over all frames of all parts, summed in float64."""
    count = sum(map(len, parts))
    total = sum(part.sum(axis=0, dtype=np.float64) for part in parts)
    mean = np.asarray(total / count)
    squares = sum(((part - mean) ** 2).sum(axis=0) for part in parts)
    deviation = np.sqrt(np.asarray(squares / count))
    return Statistics(mean.astype(np.float32), np.maximum(deviation, _SMALLEST).astype(np.float32))


@dataclass(frozen=True)
class FrontEnd:
    """What of a sound an encoder is given.

    Attributes:
        log_mel: makes frames of it.
        normalise: over the ``recording``, all recordings of a ``speaker``, or the ``corpus`` that was trained
            on, which alone needs nothing of what follows.
        stack: frames side by side in a step.
        stride: frames from a step to the next.
        trained_on: the statistics of the training corpus; None where they are not asked for.

    Raises:
        ConfigError: if ``normalise`` is unknown or a number too small.
    """

    log_mel: LogMel
    normalise: str = "recording"
    stack: int = 3
    stride: int = 3
    trained_on: Statistics | None = None

    def __post_init__(self) -> None:
        if self.normalise not in NORMALISE:
            raise ConfigError(
                f"batches.normalise={self.normalise} is unknown. {nearest(self.normalise, NORMALISE)}"
            )
        for name, value in (("stack", self.stack), ("stride", self.stride)):
            if value < 1:
                raise ConfigError(f"batches.{name}={value}: expected a whole number from 1.")

    @property
    def input_size(self) -> int:
        """Numbers of a step."""
        return self.stack * self.log_mel.bands

    @property
    def step_seconds(self) -> float:
        """Seconds from a step to the next."""
        return self.stride * self.log_mel.step / self.log_mel.sample_rate

    def frames(self, sound: Sound) -> Floats:
        """Return log-mel frames ``(frames, bands)`` of a sound at any rate."""
        return self.log_mel(resampled(sound, self.log_mel.sample_rate).samples)

    def steps(self, frames: Floats, speaker: Statistics | None = None) -> Floats:
        """Return what the encoder reads ``(steps, input_size)`` of a recording's frames."""
        return self.stacked(self.normalised(frames, speaker))

    def normalised(self, frames: Floats, speaker: Statistics | None = None) -> Floats:
        """Return normalised frames.

        Args:
            frames: ``(frames, bands)``.
            speaker: of the speaker; None where this is all that is known of them.
        """
        if self.normalise == "corpus" and self.trained_on is not None:
            return self.trained_on.normalised(frames)
        return (speaker or statistics([frames])).normalised(frames)

    def stacked(self, frames: Floats) -> Floats:
        """Return steps ``(steps, input_size)`` of normalised frames."""
        return stacked(frames, self.stack, self.stride)

    def metadata(self) -> dict[str, Any]:
        """Return what makes it again, as plain data."""
        numbers = self.trained_on and [part.tolist() for part in self.trained_on]
        return {"sample_rate": self.log_mel.sample_rate, "trained_on": numbers}


def front_end_of(batches: Mapping[str, Any], sound: Mapping[str, Any]) -> FrontEnd:
    """Return the front end of a run.

    Args:
        batches: the configuration's section, with ``features``, ``normalise``, ``stack`` and ``stride``.
        sound: what :meth:`FrontEnd.metadata` kept.

    Raises:
        ConfigError: if a key is unknown or a value out of range.
    """
    numbers = sound.get("trained_on")
    trained_on = Statistics(*(np.asarray(part, dtype=np.float32) for part in numbers)) if numbers else None
    log_mel = log_mel_of(batches.get("features") or {}, int(sound["sample_rate"]))
    own = {name: batches[name] for name in ("normalise", "stack", "stride") if name in batches}
    return FrontEnd(log_mel, trained_on=trained_on, **own)


def log_mel_of(features: Mapping[str, Any], sample_rate: int) -> LogMel:
    """Return the features that a section of the configuration describes.

    Raises:
        ConfigError: if a key is unknown or a value out of range.
    """
    facts = {"sample_rate": sample_rate}
    check_arguments(LogMel, features, facts, "batches.features")
    return LogMel(**features, **facts)

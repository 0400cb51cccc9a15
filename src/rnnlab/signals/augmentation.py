"""A recording that sounds a little different in each epoch: by its speed, its noise, and what is masked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnnlab.errors import ConfigError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """What is done to training features, drawn anew for each recording and epoch.

    Masks are those of SpecAugment (Park et al. 2019) without its time warping; speeds those of Ko et al.
    2015, a resampled waveform of which pitch and tempo change together; noise is as loud in every band.

    Attributes:
        speeds: one of these is drawn; 1 leaves the recording as it is.
        band_masks: how many stretches of bands are masked.
        widest_band_mask: bands of such a stretch at most.
        time_masks: how many stretches of frames are masked.
        longest_time_mask: frames of such a stretch at most.
        time_mask_share: share of a recording's frames that such a stretch has at most.
        noise: decibels of a recording's mean energy above the noise, ``(least, most)``; None adds none.

    Raises:
        ConfigError: if a value is out of range.
    """

    speeds: Sequence[float] = (1.0,)
    band_masks: int = 0
    widest_band_mask: int = 10
    time_masks: int = 0
    longest_time_mask: int = 40
    time_mask_share: float = 0.2
    noise: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if not self.speeds or not all(0.5 <= speed <= 2 for speed in self.speeds):
            given = list(self.speeds)
            raise ConfigError(f"batches.augmentation.speeds={given}: expected factors from 0.5 to 2.")
        for name in ("band_masks", "widest_band_mask", "time_masks", "longest_time_mask"):
            if getattr(self, name) < 0:
                raise ConfigError(f"batches.augmentation.{name}={getattr(self, name)}: expected at least 0.")
        if not 0 <= self.time_mask_share <= 1:
            raise ConfigError(
                f"batches.augmentation.time_mask_share={self.time_mask_share}: expected a share from 0 to 1."
            )
        if self.noise is not None and (len(self.noise) != 2 or self.noise[0] > self.noise[1]):
            raise ConfigError(
                f"batches.augmentation.noise={list(self.noise)}: expected decibels, the least and the most."
            )

    def speed(self, chance: np.random.Generator) -> float:
        """Draw a speed."""
        return float(self.speeds[int(chance.integers(len(self.speeds)))])

    def noisy(self, frames: Floats, chance: np.random.Generator) -> Floats:
        """Return log energies ``(frames, bands)`` with noise."""
        if self.noise is None:
            return frames
        decibels = chance.uniform(self.noise[0], self.noise[1])
        energies = np.exp(frames)
        level = energies.mean() * 10 ** (-decibels / 10)
        # The power of Gaussian noise in a band of few bins is exponentially distributed.
        noisy = energies + level * chance.standard_exponential(frames.shape)
        found: Floats = np.log(noisy).astype(np.float32)
        return found

    def masked(self, frames: Floats, chance: np.random.Generator) -> Floats:
        """Return normalised features ``(frames, bands)``, some bands and times of which are 0, their mean."""
        found: Floats = frames.copy()
        time, bands = found.shape
        for _ in range(self.band_masks):
            start, end = _stretch(bands, min(self.widest_band_mask, bands), chance)
            found[:, start:end] = 0
        longest = min(self.longest_time_mask, int(self.time_mask_share * time))
        for _ in range(self.time_masks):
            start, end = _stretch(time, longest, chance)
            found[start:end] = 0
        return found


def _stretch(size: int, longest: int, chance: np.random.Generator) -> tuple[int, int]:
    width = int(chance.integers(0, longest + 1))
    start = int(chance.integers(0, size - width + 1))
    return start, start + width

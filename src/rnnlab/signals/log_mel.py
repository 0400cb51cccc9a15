"""Log-mel features: how loud a sound is in bands as wide as the ear's, a hundred times a second."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.errors import ConfigError

Floats = npt.NDArray[np.float32]

QUIETEST = 1e-10
"""Energy of a band below which nothing is told apart; of samples from -1 to 1."""
TOGETHER = 8192
"""Frames whose spectra are in memory at once: some eighty seconds of an hour."""


@dataclass(frozen=True)
class LogMel:
    """Frames of log band energies.

    A frame is cut by a Hann window, and its power spectrum weighted by triangles that are equally wide on
    the mel scale ``2595 log10(1 + f / 700)`` (O'Shaughnessy 1987), each with a peak of 1. Frames lie wholly
    within the sound, so that those of a chunk do not depend on what follows.

    Args:
        sample_rate: samples a second.
        bands: of the mel scale.
        window: seconds of a frame.
        hop: seconds from a frame to the next.
        lowest: hertz where the first band begins.
        highest: hertz where the last band ends; None for half the sample rate.
        pre_emphasis: share of the last sample that is taken off each; 0 for none.
        dither: deviation of the noise that is added, in steps of 16 bits, against digital silence; always the
            same noise, so that a recording has the same features at all times.

    Raises:
        ConfigError: if a number is out of range, or bands are narrower than the window can tell apart.
    """

    sample_rate: int
    bands: int = 64
    window: float = 0.025
    hop: float = 0.010
    lowest: float = 20.0
    highest: float | None = None
    pre_emphasis: float = 0.97
    dither: float = 0.0

    def __post_init__(self) -> None:
        nyquist = self.sample_rate / 2
        for name, value, least, most in (
            ("sample_rate", self.sample_rate, 1000, 400_000),
            ("bands", self.bands, 2, 512),
            ("window", self.window, 0.002, 1.0),
            ("hop", self.hop, 0.001, self.window),
            ("lowest", self.lowest, 0, nyquist),
            ("highest", nyquist if self.highest is None else self.highest, self.lowest + 1, nyquist),
            ("pre_emphasis", self.pre_emphasis, 0, 1),
            ("dither", self.dither, 0, 100),
        ):
            if not least <= value <= most:
                raise ConfigError(f"batches.features.{name}={value}: expected {least:g} to {most:g}.")
        if not bool((self.triangles.sum(dim=0) > 0).all()):
            raise ConfigError(
                f"batches.features.bands={self.bands}: a window of {self.window} s at {self.sample_rate:,} "
                "samples a second can't tell so many apart. Take fewer bands or a longer window."
            )

    @property
    def step(self) -> int:
        """Samples from a frame to the next."""
        return max(1, round(self.hop * self.sample_rate))

    @property
    def width(self) -> int:
        """Samples of a frame."""
        return max(2, round(self.window * self.sample_rate))

    @property
    def size(self) -> int:
        """Samples of the Fourier transform: a frame and zeros around it, so that narrow bands have a bin."""
        return int(2 ** (np.ceil(np.log2(self.width)) + 1))

    def frames_of(self, samples: int) -> int:
        """Return how many frames a sound of so many samples has; one that is shorter than a frame has one."""
        return 1 + max(0, samples - self.width) // self.step

    @cached_property
    def triangles(self) -> Tensor:
        """Weights of the spectrum's bins in each band: ``(bins, bands)``."""
        ends = (self.lowest, self.highest or self.sample_rate / 2)
        first, last = (2595 * math.log10(1 + hertz / 700) for hertz in ends)
        corners = 700 * (10 ** (np.linspace(first, last, self.bands + 2) / 2595) - 1)
        bins = np.arange(self.size // 2 + 1)[:, None] * self.sample_rate / self.size
        left, middle, right = corners[:-2], corners[1:-1], corners[2:]
        weights = np.minimum((bins - left) / (middle - left), (right - bins) / (right - middle))
        return torch.from_numpy(np.maximum(weights, 0).astype(np.float32))

    def __call__(self, samples: Floats) -> Floats:
        """Return the features ``(frames, bands)`` of samples ``(time,)`` from -1 to 1."""
        return self.of_emphasized(self.emphasized(samples))

    def emphasized(self, samples: Floats, before: float | None = None) -> Floats:
        """Return the samples with dither and pre-emphasis.

        Args:
            samples: ``(time,)``.
            before: the sample before the first, dithered if they are; None at the beginning of a sound.
        """
        dithered = samples
        if self.dither:
            noise = np.random.default_rng(0).standard_normal(len(samples), dtype=np.float32)
            dithered = samples + noise * np.float32(self.dither / 32768)
        if not self.pre_emphasis or not len(samples):
            return dithered
        first = np.float32(dithered[0] if before is None else before)
        last = np.concatenate(([first], dithered[:-1]))
        found: Floats = (dithered - np.float32(self.pre_emphasis) * last).astype(np.float32)
        return found

    def of_emphasized(self, samples: Floats) -> Floats:
        """Return the features ``(frames, bands)`` of samples that :meth:`emphasized` returned."""
        count = self.frames_of(len(samples))
        parts = [
            self._together(samples[first * self.step :][: (TOGETHER - 1) * self.step + self.width])
            for first in range(0, count, TOGETHER)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _together(self, samples: Floats) -> Floats:
        """Return the features of frames whose spectra fit into memory together."""
        lacking = max(0, self.width - len(samples))
        around = self.size - self.width
        padded = np.pad(samples, (around // 2, around - around // 2 + lacking))
        spectrum = torch.stft(
            torch.from_numpy(padded),
            self.size,
            hop_length=self.step,
            win_length=self.width,
            window=torch.hann_window(self.width),
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()  # (bins, frames)
        energies = power.T @ self.triangles
        found: Floats = energies.clamp_min(QUIETEST).log().numpy()
        return found


def stacked(frames: Floats, stack: int, stride: int) -> Floats:
    """Return every ``stride``-th frame with those that follow it, ``stack`` in all, side by side.

    Args:
        frames: ``(frames, bands)``.
        stack: frames of a step.
        stride: frames from a step to the next.

    Returns:
        ``(steps, stack * bands)``, with :func:`steps_of` steps; frames beyond the end are zero.
    """
    steps = int(steps_of(len(frames), stride))
    lacking = max(0, (steps - 1) * stride + stack - len(frames))
    padded = np.pad(frames, ((0, lacking), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, stack, axis=0)[::stride][:steps]
    return np.array(windows.transpose(0, 2, 1), order="C").reshape(steps, -1)


def steps_of(frames: int | npt.NDArray[np.int64], stride: int) -> npt.NDArray[np.int64]:
    """Return how many steps so many frames are, each at least one."""
    return -(-np.asarray(frames, dtype=np.int64) // stride)

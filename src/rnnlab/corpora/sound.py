"""Sound out of files: NIST Sphere and WAV by themselves, FLAC, OGG and others by soundfile."""

import io
import logging
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.io import wavfile
from scipy.signal import resample_poly

from rnnlab.errors import ConfigError, DataError

log = logging.getLogger(__name__)

Samples = npt.NDArray[np.float32]

SPHERE, WAV = b"NIST_1A\n", (b"RIFF", b"RIFX", b"RF64")
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph")
"""Endings of files that are taken for recordings in a folder."""
RATES = (1_000, 400_000)
"""Samples a second that a recording can have."""
_HEADER = 1 << 16  # bytes of a Sphere header at most


class Sound(NamedTuple):
    """A recording's waveform.

    Attributes:
        samples: ``(time,)`` from -1 to 1, one channel.
        rate: samples a second.
    """

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate


def sound_of(content: bytes, name: str) -> Sound:
    """Return the sound that a file holds, its channels mixed into one.

    Args:
        content: of the file.
        name: of the file, for errors.

    Raises:
        DataError: if it is damaged, cut short, or holds no sound.
        ConfigError: if only soundfile reads its format, and that is not installed.
    """
    if content.startswith(SPHERE):
        samples, rate = _sphere(content, name)
    elif content.startswith(WAV):
        samples, rate = _wav(content, name)
    else:
        samples, rate = _other(content, name)
    if not RATES[0] <= rate <= RATES[1]:
        raise DataError(f"{name} says that it has {rate:,} samples a second: it is damaged.")
    if not samples.size:
        raise DataError(f"{name} holds no sound: it has no samples.")
    if not np.isfinite(samples).all():
        raise DataError(f"{name} is damaged: some of its samples are no numbers.")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)
    return Sound(np.ascontiguousarray(mono, dtype=np.float32), rate)


def resampled(sound: Sound, rate: int) -> Sound:
    """Return the sound at another rate, low-pass filtered by SciPy's polyphase filter."""
    if sound.rate == rate:
        return sound
    shared = math.gcd(rate, sound.rate)
    samples = resample_poly(sound.samples, rate // shared, sound.rate // shared)
    return Sound(samples.astype(np.float32), rate)


class Resampler:
    """Puts sounds at one rate, and says once for each other rate that it does.

    Args:
        rate: samples a second.
        whose: the recordings, for what is said.
    """

    def __init__(self, rate: int, whose: str) -> None:
        self.rate, self.whose, self.others = rate, whose, set[int]()

    def __call__(self, sound: Sound) -> Sound:
        """Return a sound at the rate."""
        if sound.rate != self.rate and sound.rate not in self.others:
            self.others.add(sound.rate)
            log.warning(
                "%s: some have %s samples a second; they are resampled to %s.",
                *(self.whose, f"{sound.rate:,}", f"{self.rate:,}"),
            )
        return resampled(sound, self.rate)


def _sphere(content: bytes, name: str) -> tuple[Samples, int]:
    """Read a NIST Sphere file: a header of lines ``name -type value``, then 16-bit samples."""
    try:
        size = int(content[8:16])
        header = content[16 : min(size, _HEADER)].decode("ascii").partition("end_head")[0]
        parts = [line.split(maxsplit=2) for line in header.splitlines()]
        facts = {part[0]: part[2].strip() for part in parts if len(part) == 3}
        channels, count = int(facts.get("channel_count", "1")), int(facts["sample_count"])
        rate, width = int(facts["sample_rate"]), int(facts.get("sample_n_bytes", "2"))
    except (ValueError, KeyError) as error:
        raise DataError(f"{name} is damaged: its NIST Sphere header can't be read ({error}).") from error
    coding, order = facts.get("sample_coding", "pcm"), facts.get("sample_byte_format", "01")
    if coding != "pcm" or width != 2 or order not in ("01", "10") or channels < 1:
        raise DataError(
            f"{name} holds {coding} samples of {width} bytes in the order {order}; of NIST Sphere files "
            "those of 16-bit pcm are read. Convert it to WAV."
        )
    data = content[size : size + 2 * channels * count]
    if len(data) < 2 * channels * count:
        raise DataError(f"{name} is cut short: {len(data):,} of {2 * channels * count:,} bytes of sound.")
    kind = "<i2" if order == "01" else ">i2"
    samples: Samples = np.frombuffer(data, dtype=kind).reshape(-1, channels).astype(np.float32)
    return samples / np.float32(32768), rate


def _wav(content: bytes, name: str) -> tuple[Samples, int]:
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            rate, samples = wavfile.read(io.BytesIO(content))
    except (ValueError, OSError, EOFError, ArithmeticError, LookupError, TypeError, MemoryError) as error:
        if "nknown wave file format" in str(error):  # such as ADPCM, which soundfile may know
            return _other(content, name)
        raise DataError(f"{name} is damaged or cut short: {error}") from error
    except UnboundLocalError as error:  # so SciPy ends where there is no chunk of samples
        raise DataError(f"{name} holds no sound: it is a WAV without samples.") from error
    if short := [str(warning.message) for warning in told if "EOF" in str(warning.message)]:
        raise DataError(f"{name} is cut short: {short[0]}")
    return _scaled(samples), int(rate)


def _scaled(samples: npt.NDArray[Any]) -> Samples:
    """Return samples of any of WAV's types from -1 to 1."""
    kind = samples.dtype
    largest = 1.0 if kind.kind == "f" else 2.0 ** (8 * kind.itemsize - 1)
    middle = 128 if kind == np.uint8 else 0  # the only type without a sign
    found: Samples = ((samples.astype(np.float64) - middle) / largest).astype(np.float32)
    return found


def _other(content: bytes, name: str) -> tuple[Samples, int]:
    try:
        import soundfile
    except ImportError as error:
        raise ConfigError(
            f"{name} is neither WAV nor NIST Sphere: pip install 'rnnlab[speech]' reads FLAC, OGG and others."
        ) from error
    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    except (RuntimeError, TypeError, ValueError, MemoryError) as error:
        reason = str(error).rpartition(">: ")[2]  # soundfile names the object in memory, too
        raise DataError(f"{name} is no recording that can be read, or is damaged: {reason}") from error
    return samples, int(rate)

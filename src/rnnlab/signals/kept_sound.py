"""Recordings as features: flat memory-mapped arrays, computed once and kept in the cache folder."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.corpus import fingerprint_of, known_by
from rnnlab.corpora.sound import Resampler, Sound, resampled
from rnnlab.corpora.spoken import SpokenCorpus
from rnnlab.files.array_file import open_array
from rnnlab.files.bounded import damaged
from rnnlab.files.plain_file import read_json
from rnnlab.signals.log_mel import Floats, LogMel
from rnnlab.text.encoded import Progress
from rnnlab.text.encoding_pass import chunks_of, write_npy
from rnnlab.text.sealed_folder import kept

FORMAT = 1  # raise it when the files, or what is computed of a sound, change
_FACTS = "facts.json"
_NUMBER = np.dtype("<f4")
_FINEST = 100
"""The largest denominator of a speed, which decides the length of the filter that resamples."""


@dataclass(frozen=True)
class KeptSound:
    """The features of a split's recordings at one speed, one after another.

    Attributes:
        features: ``(frames of all, bands)``, mapped from a file.
        offsets: recording i is ``features[offsets[i] : offsets[i + 1]]``, ``(recordings + 1,)``.
    """

    features: Floats
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, recording: int) -> Floats:
        """Return the features of one recording, ``(frames, bands)``."""
        return self.features[self.offsets[recording] : self.offsets[recording + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Frames of each recording, ``(recordings,)``."""
        return np.diff(self.offsets)


def kept_sound(
    corpus: SpokenCorpus,
    log_mel: LogMel,
    splits: Mapping[str, Sequence[float]],
    progress: Progress | None = None,
) -> dict[str, dict[float, KeptSound]]:
    """Return the features of splits at some speeds: from the cache, else computed now and kept there.

    Args:
        corpus: where the recordings come from.
        log_mel: makes features of them.
        splits: the speeds of each split that is wanted; 1 is as recorded.
        progress: called now and then while sound is read.

    Raises:
        DataError: if the corpus is missing or damaged.
        RnnlabError: if the disk is full or the cache folder can't be written.
    """
    return {split: _kept_split(corpus, log_mel, split, speeds, progress) for split, speeds in splits.items()}


def _kept_split(
    corpus: SpokenCorpus, log_mel: LogMel, split: str, speeds: Sequence[float], progress: Progress | None
) -> dict[float, KeptSound]:
    key = fingerprint_of(
        format=FORMAT, corpus=known_by(corpus), split=split, speeds=list(speeds), features=asdict(log_mel)
    )

    def opened(folder: Path) -> dict[float, KeptSound]:
        bands = read_json(folder / _FACTS, {"bands": int})["bands"]
        return {speed: _open(folder / f"speed{number}", bands) for number, speed in enumerate(speeds)}

    def write(unfinished: Path) -> None:
        (unfinished / _FACTS).write_text(json.dumps({"bands": log_mel.bands}), encoding="utf-8")
        _write(unfinished, _heard(corpus, split, progress), log_mel, speeds)

    return kept("sound", corpus.name, key, opened, write, "The sound")


def _open(source: Path, bands: int) -> KeptSound:
    features = open_array(source.with_suffix(".features.npy"), np.float32, mapped=True)
    offsets = open_array(source.with_suffix(".offsets.npy"), np.int64)
    if not len(offsets) or offsets[0] != 0 or bands < 1 or offsets[-1] * bands != len(features):
        raise damaged(source.with_suffix(".offsets.npy"), "it does not fit the features beside it")
    if np.any(np.diff(offsets) < 1):
        raise damaged(source.with_suffix(".offsets.npy"), "it has recordings without a frame")
    return KeptSound(features.reshape(-1, bands), offsets)


def _heard(corpus: SpokenCorpus, split: str, progress: Progress | None) -> Iterator[Sound]:
    """Yield a split's sounds at the corpus's rate."""
    total, at_rate = len(corpus.utterances(split)), Resampler(corpus.sample_rate, f"{corpus.name}, {split}")
    for number, sound in enumerate(corpus.sounds(split), start=1):
        yield at_rate(sound)
        if progress is not None:
            progress(f"Listening to {split}", number, total)


def _write(folder: Path, sounds: Iterator[Sound], log_mel: LogMel, speeds: Sequence[float]) -> None:
    """Write the features and offsets of each speed, in one pass over the sounds."""
    raw = [folder / f"{number}.unfinished" for number in range(len(speeds))]
    lengths: list[list[int]] = [[] for _ in speeds]
    files = [path.open("wb") for path in raw]
    try:
        for sound in sounds:
            for number, speed in enumerate(speeds):
                features = log_mel(at_speed(sound, speed).samples)
                features.tofile(files[number])
                lengths[number].append(len(features))
    finally:
        for file in files:
            file.close()
    for number, path in enumerate(raw):
        source = folder / f"speed{number}"
        offsets = np.concatenate(([0], np.cumsum(lengths[number], dtype=np.int64))).astype(np.int64)
        np.save(source.with_suffix(".offsets.npy"), offsets)
        count = path.stat().st_size // _NUMBER.itemsize
        write_npy(source.with_suffix(".features.npy"), _NUMBER, count, chunks_of(path, np.float32))
        path.unlink()


def at_speed(sound: Sound, speed: float) -> Sound:
    """Return a sound that is so many times as fast, and as high."""
    ratio = Fraction(speed).limit_denominator(_FINEST)  # the filter is as long as its terms are large
    return Sound(resampled(Sound(sound.samples, ratio.numerator), ratio.denominator).samples, sound.rate)

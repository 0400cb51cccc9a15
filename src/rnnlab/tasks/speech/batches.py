"""Batches of recordings: which come together, what augmentation draws for them, and how they are padded."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.data.batch import moved
from rnnlab.data.bucketing import BucketedBatches
from rnnlab.data.loader import ResumableLoader
from rnnlab.signals.augmentation import Augmentation
from rnnlab.signals.front_end import FrontEnd, Statistics
from rnnlab.signals.kept_sound import KeptSound
from rnnlab.text.encoded import EncodedSplit


class SpeechBatch(NamedTuple):
    """Recordings and what is said in them, see :class:`rnnlab.data.batch.Batch`.

    Attributes:
        inputs: ``(batch, time, input_size)`` features, several frames a step.
        lengths: ``(batch,)`` steps.
        targets: ``(batch, units)`` the transcripts' ids, -1 behind their ends.
        valid: ``(batch,)``.
        target_lengths: ``(batch,)`` ids of each transcript.
        recordings: ``(batch,)`` their numbers in the split.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    valid: Tensor
    target_lengths: Tensor
    recordings: Tensor

    def to(self, device: torch.device, **options: Any) -> "SpeechBatch":
        """Return the batch on ``device``."""
        return moved(self, device)


def needed(ids: npt.NDArray[np.int32]) -> int:
    """Return the fewest steps in which CTC tells a transcript: a blank parts equal neighbours.

    >>> needed(np.array([4, 7, 7, 7]))
    6
    """
    return len(ids) + int((ids[1:] == ids[:-1]).sum())


class PlannedRecordings(NamedTuple):
    """What a batch is made of.

    Attributes:
        epoch: that it is drawn for.
        recordings: ``(batch,)`` their numbers in the split.
        valid: ``(batch,)``, see :class:`rnnlab.data.bucketing.PlannedBatch`.
    """

    epoch: int
    recordings: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]


class SpeechLoader(ResumableLoader[PlannedRecordings, SpeechBatch]):
    """Iterates over a split's recordings.

    What augmentation draws for a recording follows from ``(seed, epoch, recording)`` alone, whatever batch it
    is in.

    Args:
        kept: features at each speed.
        encoded: transcripts.
        front_end: makes steps of frames.
        batches: which recordings come together, and when.
        speakers: the statistics to normalise each recording by; None for its own or the corpus's.
        augmentation: what is done to them; None for nothing.
        seed: of what it draws.
    """

    def __init__(
        self,
        kept: Mapping[float, KeptSound],
        encoded: EncodedSplit,
        front_end: FrontEnd,
        batches: BucketedBatches,
        *,
        speakers: Sequence[Statistics] | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.kept, self.encoded, self.front_end, self.batches = kept, encoded, front_end, batches
        self.speakers, self.augmentation, self.seed = speakers, augmentation, seed

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def fingerprint(self) -> str:
        """Digest of the plan."""
        return self.batches.fingerprint

    def plan(self, epoch: int) -> list[PlannedRecordings]:
        """Return the numbers of the recordings in each batch."""
        return [PlannedRecordings(epoch, *planned) for planned in self.batches.batches(epoch)]

    def batch(self, planned: PlannedRecordings) -> SpeechBatch:
        """Return some recordings as a batch, padded with zeros."""
        numbers = planned.recordings.tolist()
        steps = [self.steps(number, planned.epoch) for number in numbers]
        texts = [self.encoded[number] for number in numbers]
        lengths, target_lengths = ([len(part) for part in parts] for parts in (steps, texts))
        inputs = np.zeros((len(steps), max(lengths), steps[0].shape[1]), dtype=np.float32)
        targets = np.full((len(texts), max(target_lengths)), -1, dtype=np.int64)
        for row, (step, text) in enumerate(zip(steps, texts, strict=True)):
            inputs[row, : len(step)] = step
            targets[row, : len(text)] = text
        return SpeechBatch(
            torch.from_numpy(inputs),
            torch.tensor(lengths),
            torch.from_numpy(targets),
            torch.from_numpy(planned.valid),
            torch.tensor(target_lengths),
            torch.from_numpy(planned.recordings),
        )

    def steps(self, number: int, epoch: int) -> npt.NDArray[np.float32]:
        """Return what the encoder reads of a recording ``(steps, input_size)``."""
        speaker = self.speakers[number] if self.speakers is not None else None
        if self.augmentation is None:
            return self.front_end.steps(self.kept[1.0][number], speaker)
        chance = np.random.default_rng([self.seed, epoch, number])
        frames = self.kept[self.augmentation.speed(chance)][number]
        frames = self.front_end.normalised(self.augmentation.noisy(frames, chance), speaker)
        return self.front_end.stacked(self.augmentation.masked(frames, chance))

"""Recordings as length-bucketed batches of features, with the transcripts' ids."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.build import check_arguments
from rnnlab.corpora.spoken import SpokenCorpus, listed
from rnnlab.data.batch import moved
from rnnlab.data.bucketing import BucketedBatches
from rnnlab.data.loader import ResumableLoader
from rnnlab.data.text_data import TextData
from rnnlab.errors import ConfigError, DataError
from rnnlab.signals.augmentation import Augmentation
from rnnlab.signals.front_end import FrontEnd, Statistics, front_end_of, log_mel_of, statistics
from rnnlab.signals.kept_sound import KeptSound, kept_sound
from rnnlab.signals.log_mel import steps_of
from rnnlab.tasks.speech.error_counts import edits
from rnnlab.text.encoded import EncodedSplit, Progress
from rnnlab.text.readable_tokens import readable, separator
from rnnlab.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun


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


class SpeechData(TextData):
    """Recordings with their transcripts.

    Args:
        corpus: where the recordings come from.
        tokenizer: how transcripts become the units that are told: characters, words or byte pairs.
        vocabulary: ``max_size``, ``min_frequency`` and ``closed``.
        seed: fixes the order of the batches and all that augmentation draws.
        overfit: if given, train on this many batches only, the same in every epoch.
        batch_size: recordings of a batch; None where ``max_seconds`` rules.
        max_seconds: of sound in a batch, padding included; None where ``batch_size`` rules.
        features: see :class:`rnnlab.signals.log_mel.LogMel`.
        normalise: ``recording``, ``speaker`` or ``corpus``.
        stack: frames side by side in a step.
        stride: frames from a step to the next.
        augmentation: of the training recordings, see :class:`rnnlab.signals.augmentation.Augmentation`.

    Raises:
        ConfigError: if the corpus has no recordings, or a value is out of range.
    """

    def __init__(
        self,
        *,
        corpus: SpokenCorpus,
        tokenizer: Tokenizer,
        vocabulary: Mapping[str, Any],
        seed: int,
        overfit: int | None = None,
        batch_size: int | None = 16,
        max_seconds: float | None = None,
        features: Mapping[str, Any] | None = None,
        normalise: str = "recording",
        stack: int = 3,
        stride: int = 3,
        augmentation: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            corpus=corpus, tokenizer=tokenizer, vocabulary=vocabulary, seed=seed, overfit=overfit
        )
        if not hasattr(corpus, "sounds"):
            raise ConfigError(
                f"data={getattr(corpus, 'name', type(corpus).__name__)} has no recordings, and task=speech "
                "listens: take data=touch_tones, an4, fsdd, recordings or speech_commands."
            )
        self.batch_size, self.max_seconds = batch_size, max_seconds
        check_arguments(Augmentation, augmentation or {}, {}, "batches.augmentation")
        self.augmentation = Augmentation(**(augmentation or {}))
        log_mel = log_mel_of(features or {}, corpus.sample_rate)
        self.front_end = FrontEnd(log_mel, normalise, stack, stride)
        self.kept: dict[str, dict[float, KeptSound]] = {}

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Return the corpus's splits by the names that they are served under."""
        return {split: (split,) for split in ("train", "validation", "test")}

    def prepare(self, progress: Progress | None = None) -> None:
        """Encode the transcripts, and compute the features where the cache lacks them.

        Raises:
            DataError: if a training recording is too short for its transcript.
        """
        super().prepare(progress)
        speeds = tuple(sorted({1.0, *map(float, self.augmentation.speeds)}))
        wanted = {split: speeds if split == "train" else (1.0,) for split in self.splits()}
        self.kept = kept_sound(self.corpus, self.front_end.log_mel, wanted, progress)
        if self.front_end.normalise == "corpus":
            trained = statistics([self.kept["train"][1.0].features])
            self.front_end = front_end_with(self.front_end, trained)
        short = self.too_short("train", max(speeds))
        if short:
            raise DataError(
                f"{len(short):,} training recordings of {self.corpus.name} have fewer steps than CTC needs "
                f"to tell their transcripts, at speed {max(speeds):g}: {listed(short)}. Lower batches.stride "
                "or batches.augmentation.speeds, or mend the transcripts."
            )

    def prepare_split(
        self, split: str, run: "OpenedRun", labels: Sequence[str] = (), progress: Progress | None = None
    ) -> None:
        """Make one split ready as the model heard its own.

        Raises:
            ConfigError: if ``labels`` are given, or the model is of another kind.
        """
        if labels or "sound" not in run.metadata:
            raise ConfigError(f"{run.checkpoint} is a model of task={run.task_name}: which does not listen.")
        super().prepare_split(split, run, (), progress)
        self.front_end = front_end_of(run.config["batches"], run.metadata["sound"])
        self.kept = kept_sound(self.corpus, self.front_end.log_mel, {split: (1.0,)}, progress)

    def size_of(self, split: str) -> int:
        """Return how many recordings a split has."""
        return len(self.corpus.utterances(split))

    def model_arguments(self) -> dict[str, Any]:
        """Return the size of a step, the units that are told, what is between them, and the transcripts."""
        return {
            "input_size": self.front_end.input_size,
            "symbols": readable(self.encoded.tokenizer, self.encoded.vocabulary.tokens),
            "separator": separator(self.encoded.tokenizer),
            "transcripts": tuple(said.transcript for said in self.corpus.utterances("train")),
        }

    def metadata(self) -> dict[str, Any]:
        """Return what text is kept by, and the front end."""
        return {**super().metadata(), "sound": self.front_end.metadata({})}

    def describe(self) -> str:
        """Return hours and speakers of each split besides what is said of every text."""
        parts = []
        for split, kept in self.kept.items():
            seconds = len(kept[1.0].features) * self.front_end.log_mel.hop
            speakers = {utterance.speaker for utterance in self.corpus.utterances(split)} - {""}
            parts.append(f"{split} {seconds / 60:.1f} minutes, {len(speakers)} speakers")
        return f"{super().describe()}\n{'; '.join(parts)}."

    def warnings(self) -> Sequence[str]:
        """Return the corpus's, and which scored recordings can't be told."""
        found = list(super().warnings())
        for split in (split for split in self.kept if split != "train"):
            if short := self.too_short(split, 1.0):
                found.append(
                    f"{len(short):,} {split} recordings have fewer steps than CTC needs to tell their "
                    f"transcripts: {listed(short)}. Their loss is infinite and left out of the split's; "
                    "their errors count."
                )
        return found

    def advice(self) -> str:
        """Return nothing: transcripts are few words by nature."""
        return ""

    def too_short(self, split: str, speed: float) -> list[str]:
        """Return the names of a split's recordings that have fewer steps than CTC needs at a speed."""
        steps = steps_of(self.kept[split][speed].lengths, self.front_end.stride)
        utterances, encoded = self.corpus.utterances(split), self.encoded.splits[split]
        texts = [encoded[number] for number in range(len(encoded))]
        return [
            utterance.name
            for utterance, has, ids in zip(utterances, steps.tolist(), texts, strict=True)
            if has < needed(ids)
        ]

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return the error rates of whoever always tells the most frequent training transcript."""
        counted = Counter(said.transcript for said in self.corpus.utterances("train"))
        always = counted.most_common(1)[0][0]
        meant = [said.transcript for said in self.corpus.utterances("test")]
        words = [edits(text.split(), always.split()) for text in meant]
        letters = [edits(text, always) for text in meant]
        return {
            "always the most frequent": {
                "wer": sum(one.errors for one in words) / sum(one.meant for one in words),
                "cer": sum(one.errors for one in letters) / sum(one.meant for one in letters),
                "ser": sum(one.errors > 0 for one in words) / len(words),
            }
        }

    def train_loader(self) -> "SpeechLoader":
        """Return the training recordings in shuffled batches of similar length, augmented."""
        return self.loader("train", shuffle=True)

    def val_dataloader(self) -> "SpeechLoader":
        """Return the validation recordings, sorted by length."""
        return self.loader("validation", shuffle=False)

    def test_dataloader(self) -> "SpeechLoader":
        """Return the test recordings, sorted by length."""
        return self.loader("test", shuffle=False)

    def loader(self, split: str, *, shuffle: bool) -> "SpeechLoader":
        """Return the batches of a split, this process's share of them."""
        rank, processes = self.rank_and_size()
        steps = steps_of(self.kept[split][1.0].lengths, self.front_end.stride)
        most = None if self.max_seconds is None else int(self.max_seconds / self.front_end.step_seconds)
        batches = BucketedBatches(
            steps, self.batch_size, most, shuffle=shuffle, seed=self.seed, rank=rank, processes=processes
        )
        return SpeechLoader(
            self.kept[split],
            self.encoded.splits[split],
            self.front_end,
            batches,
            speakers=self.speaker_statistics(split),
            augmentation=self.augmentation if split == "train" else None,
            seed=self.seed,
        )

    def speaker_statistics(self, split: str) -> list[Statistics] | None:
        """Return for each recording the statistics of its speaker, where features are normalised by them."""
        if self.front_end.normalise != "speaker":
            return None
        if split not in self._speakers:
            kept, parts = self.kept[split][1.0], dict[str, list[npt.NDArray[np.float32]]]()
            names = [said.speaker or said.name for said in self.corpus.utterances(split)]
            for number, name in enumerate(names):
                parts.setdefault(name, []).append(kept[number])
            of = {name: statistics(part) for name, part in parts.items()}
            self._speakers[split] = [of[name] for name in names]
        return self._speakers[split]

    @cached_property
    def _speakers(self) -> dict[str, list[Statistics]]:
        return {}

    def probe_batch(self, sequences: int) -> SpeechBatch:
        """Return validation recordings of all lengths, from the longest to the shortest."""
        loader = self.val_dataloader()
        by_length = np.argsort(-self.kept["validation"][1.0].lengths, kind="stable")
        chosen = np.linspace(0, len(by_length) - 1, min(sequences, len(by_length))).round().astype(np.int64)
        return loader.batch(PlannedRecordings(0, by_length[chosen], np.ones(len(chosen), dtype=np.bool_)))

    def describe_batches(self) -> str:
        """Return the number of training batches, and how much of them is padding."""
        loader = self.train_loader()
        share = 100 * loader.batches.padding_share()
        return f"{len(loader):,} training batches, {share:.1f} % of their steps padding."


def needed(ids: npt.NDArray[np.int32]) -> int:
    """Return the fewest steps in which CTC tells a transcript: a blank parts equal neighbours.

    >>> needed(np.array([4, 7, 7, 7]))
    6
    """
    return len(ids) + int((ids[1:] == ids[:-1]).sum())


def front_end_with(front_end: FrontEnd, trained_on: Statistics) -> FrontEnd:
    """Return a front end that normalises by a training corpus."""
    return FrontEnd(front_end.log_mel, front_end.normalise, front_end.stack, front_end.stride, trained_on)


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

"""Recordings as length-bucketed batches of features, with the transcripts' ids."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rnnlab.build import check_arguments
from rnnlab.corpora.corpus import known_by
from rnnlab.corpora.spoken import SpokenCorpus, listed
from rnnlab.data.bucketing import BucketedBatches, spread_over
from rnnlab.data.text_data import TextData
from rnnlab.errors import ConfigError, DataError
from rnnlab.signals.augmentation import Augmentation
from rnnlab.signals.front_end import FrontEnd, Statistics, front_end_of, log_mel_of, statistics
from rnnlab.signals.kept_sound import KeptSound, kept_sound
from rnnlab.signals.log_mel import steps_of
from rnnlab.tasks.baselines import kept
from rnnlab.tasks.speech.baselines import always_most_frequent, is_isolated, nearest_template
from rnnlab.tasks.speech.batches import PlannedRecordings, SpeechBatch, SpeechLoader, needed
from rnnlab.text.encoded import Progress
from rnnlab.text.tokenizers import Tokenizer, readable, separator

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun


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
        self._speakers: dict[str, list[Statistics]] = {}

    @classmethod
    def rehearsal(cls, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return steps of some size and two units."""
        return {"input_size": 64, "symbols": ("<unk>", "a", "b")}

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
            self.front_end = replace(self.front_end, trained_on=trained)
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
        return {**super().metadata(), "sound": self.front_end.metadata()}

    def describe(self) -> str:
        """Return hours and speakers of each split besides what is said of every text."""
        parts = []
        for split, sound in self.kept.items():
            seconds = len(sound[1.0].features) * self.front_end.log_mel.hop
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
        """Return the error rates of the most frequent transcript, of templates, and what others published."""
        found = always_most_frequent(self.corpus)
        if is_isolated(self.corpus):
            found |= self.warped()
        return found | {f"reported: {name}": dict(rates) for name, rates in self.corpus.reported.items()}

    def warped(self) -> dict[str, dict[str, float]]:
        """Return the error rates of the nearest template, computed once for the same features."""
        log_mel = self.front_end.log_mel
        decides = {"corpus": known_by(self.corpus), "features": asdict(log_mel), "format": 1}
        train, test = (self.kept[split][1.0] for split in ("train", "test"))
        return kept("warping", decides, lambda: nearest_template(self.corpus, train, test))

    def loader(self, split: str) -> "SpeechLoader":
        """Return the batches of a split, this process's share of them."""
        rank, processes = self.rank_and_size()
        steps = steps_of(self.kept[split][1.0].lengths, self.front_end.stride)
        most = None if self.max_seconds is None else int(self.max_seconds / self.front_end.step_seconds)
        batches = BucketedBatches(
            steps,
            self.batch_size,
            most,
            shuffle=split == "train",
            seed=self.seed,
            rank=rank,
            processes=processes,
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
            sound, parts = self.kept[split][1.0], dict[str, list[npt.NDArray[np.float32]]]()
            names = [said.speaker or said.name for said in self.corpus.utterances(split)]
            for number, name in enumerate(names):
                parts.setdefault(name, []).append(sound[number])
            of = {name: statistics(part) for name, part in parts.items()}
            self._speakers[split] = [of[name] for name in names]
        return self._speakers[split]

    def probe_batch(self, sequences: int) -> SpeechBatch:
        """Return validation recordings of all lengths, from the longest to the shortest."""
        by_length = np.argsort(-self.kept["validation"][1.0].lengths, kind="stable")
        chosen = by_length[spread_over(len(by_length), sequences)]
        planned = PlannedRecordings(0, chosen, np.ones(len(chosen), dtype=np.bool_))
        return self.loader("validation").batch(planned)

    def describe_batches(self) -> str:
        """Return the number of training batches, and how much of them is padding."""
        loader = self.loader("train")
        share = 100 * loader.batches.padding_share()
        return f"{len(loader):,} training batches, {share:.1f} % of their steps padding."

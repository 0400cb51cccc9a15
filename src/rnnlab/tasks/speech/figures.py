"""What a speech run shows: what was told of each recording and how it differs, and sounds with both."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
from rich.table import Table
from rich.text import Text
from torch.utils.tensorboard import SummaryWriter

from rnnlab.atomic import write_text
from rnnlab.corpora.sound import resampled
from rnnlab.corpora.spoken import Utterance
from rnnlab.data.bucketing import spread_over
from rnnlab.figures.drawing import publish
from rnnlab.figures.speech import errors_by_length_figure, posterior_figure, spectrogram_figure
from rnnlab.tasks.figures import SPLITS, Recorder, TaskFigures, gathered
from rnnlab.tasks.speech.batches import PlannedRecordings, SpeechBatch
from rnnlab.tasks.speech.decoding import aligned
from rnnlab.tasks.speech.error_counts import Edits, bootstrap_interval, edits
from rnnlab.tasks.task import evaluating
from rnnlab.terminal import table_of

if TYPE_CHECKING:
    from rnnlab.tasks.speech.data import SpeechData
    from rnnlab.tasks.speech.task import SpeechRecognizer

LISTED = 10
"""Rows of each list that a terminal shows."""
SHOWN = 3
"""Validation recordings that are shown: whoever looks at test recordings will tune to them."""


@dataclass(frozen=True)
class ScoredSpeech:
    """What was told of recordings.

    Attributes:
        utterances: names, speakers and what was said.
        told: the texts that the model tells.
        seconds: how long each is.
    """

    utterances: Sequence[Utterance]
    told: Sequence[str]
    seconds: Sequence[float]

    @cached_property
    def words(self) -> list[Edits]:
        """The edits by words of each recording."""
        pairs = zip(self.utterances, self.told, strict=True)
        return [edits(utterance.transcript.split(), told.split()) for utterance, told in pairs]

    @property
    def interval(self) -> tuple[float, float]:
        """The word error rate's 95 % interval, over recordings drawn anew."""
        return bootstrap_interval(
            [found.errors for found in self.words], [found.meant for found in self.words]
        )

    @property
    def by_speaker(self) -> dict[str, tuple[int, int]]:
        """Errors and words of each speaker, the worst first."""
        errors, meant = Counter[str](), Counter[str]()
        for utterance, found in zip(self.utterances, self.words, strict=True):
            errors[utterance.speaker] += found.errors
            meant[utterance.speaker] += found.meant
        names = sorted(meant, key=lambda name: (-errors[name] / meant[name], name))
        return {name: (errors[name], meant[name]) for name in names}

    @property
    def confusions(self) -> list[tuple[tuple[str | None, str | None], int]]:
        """What was told in place of what, None for nothing, and how often; the most frequent first."""
        counted = Counter(pair for found in self.words for pair in found.pairs if pair[0] != pair[1])
        return sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))

    @property
    def worst(self) -> list[int]:
        """Numbers of the recordings with errors, the most errors first."""
        wrong = [number for number, found in enumerate(self.words) if found.errors]
        return sorted(wrong, key=lambda number: (-self.words[number].errors, number))

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {
            "words": sum(found.meant for found in self.words),
            "substitutions": sum(found.substitutions for found in self.words),
            "insertions": sum(found.insertions for found in self.words),
            "deletions": sum(found.deletions for found in self.words),
            "word_error_rate_95_percent": list(self.interval),
            "by_speaker": {
                name: {"errors": wrong, "words": of} for name, (wrong, of) in self.by_speaker.items()
            },
            "confusions": [
                {"said": said, "told": told, "times": times} for (said, told), times in self.confusions
            ],
            "recordings": [
                {
                    "name": utterance.name,
                    "speaker": utterance.speaker,
                    "seconds": round(seconds, 3),
                    "said": utterance.transcript,
                    "told": told,
                    "errors": found.errors,
                }
                for utterance, told, seconds, found in zip(
                    self.utterances, self.told, self.seconds, self.words, strict=True
                )
            ],
        }


class RecordedSpeech(Recorder):
    """Keeps the texts that the steps of a validation or a test tell.

    Args:
        data: the prepared recordings.
        split: of them.
    """

    scored: ScoredSpeech

    def __init__(self, data: "SpeechData", split: str) -> None:
        self.utterances = list(data.corpus.utterances(split))
        hop = data.front_end.log_mel.hop
        self.seconds = (data.kept[split][1.0].lengths * hop).tolist()
        self.told: dict[int, str] = {}

    def begin(self, loader: Any) -> None:
        """Forget what was kept."""
        self.told = {}

    def keep(self, outputs: Any, batch: SpeechBatch, number: int) -> None:
        """Keep what was told of the recordings that count."""
        rows = zip(batch.recordings.tolist(), outputs["told"], batch.valid.tolist(), strict=True)
        self.told |= {recording: told for recording, told, valid in rows if valid}

    def end(self, trainer: lightning.Trainer) -> None:
        """Join what all processes have kept."""
        told: dict[int, str] = {}
        for part in gathered(self.told, trainer):
            told |= part
        numbers = sorted(told)
        self.scored = ScoredSpeech(
            [self.utterances[number] for number in numbers],
            [told[number] for number in numbers],
            [self.seconds[number] for number in numbers],
        )

    def tables(self) -> Sequence[Table]:
        """Return the edits in all, those of each speaker, the most frequent, and the worst recordings."""
        return [part(self.scored) for part in (totals, speakers, confusions, worst)]

    def write(self, scored: Mapping[str, ScoredSpeech], folder: Path) -> None:
        """Write what was told of each recording by each run."""
        found = {run: speech.plain() for run, speech in scored.items()}
        write_text(folder / "speech.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def totals(scored: ScoredSpeech) -> Table:
    """Return a table of the edits in all."""
    plain = scored.plain()
    low, high = scored.interval
    table = table_of(
        f"Word error rate, 95 % of recordings drawn anew: {low:.4f} to {high:.4f}",
        "words",
        ["substitutions", "insertions", "deletions"],
    )
    table.add_row(*(f"{plain[name]:,}" for name in ("words", "substitutions", "insertions", "deletions")))
    return table


def speakers(scored: ScoredSpeech) -> Table:
    """Return a table of the errors by speaker."""
    table = table_of("By speaker", "speaker", ["words", "errors", "wer"])
    for name, (wrong, of) in list(scored.by_speaker.items())[: 2 * LISTED]:
        table.add_row(Text(name or "unknown"), f"{of:,}", f"{wrong:,}", f"{wrong / of:.4f}")
    return table


def confusions(scored: ScoredSpeech) -> Table:
    """Return a table of the most frequent edits."""
    table = table_of("Most frequent errors", "said", ["told", "times"])
    for (said, told), times in scored.confusions[:LISTED]:
        table.add_row(Text(said or "(nothing)"), Text(told or "(nothing)"), f"{times:,}")
    return table


def worst(scored: ScoredSpeech) -> Table:
    """Return a table of the recordings with the most errors."""
    table = table_of("Worst recordings", "recording", ["errors"])
    table.add_column("said, told", overflow="fold")
    for number in scored.worst[:LISTED]:
        utterance, told = scored.utterances[number], scored.told[number]
        table.add_row(
            Text(utterance.name), str(scored.words[number].errors), Text(f"{utterance.transcript}\n{told}")
        )
    return table


def errors_by_length(scored: ScoredSpeech, groups: int = 6) -> list[tuple[float, float]]:
    """Return median seconds and word error rate of groups of recordings of similar length."""
    seconds = np.array(scored.seconds)
    parts = np.array_split(np.argsort(seconds, kind="stable"), min(groups, len(seconds)))
    found = []
    for part in parts:
        chosen = [scored.words[number] for number in part.tolist()]
        rate = sum(one.errors for one in chosen) / max(1, sum(one.meant for one in chosen))
        found.append((float(np.median(seconds[part])), rate))
    return found


class SpeechFigures(TaskFigures):
    """Figures of a recognizer.

    Args:
        task: the recognizer.
        data: its recordings.
    """

    recorders: dict[str, RecordedSpeech]

    def __init__(self, task: "SpeechRecognizer", data: "SpeechData") -> None:
        self.task, self.data = task, data
        self.recorders = {split: RecordedSpeech(data, split) for split in SPLITS}

    def publish(self, run: Path, writer: SummaryWriter | None, step: int) -> None:
        """See :class:`TaskFigures`."""
        folder = run / "figures"
        groups = {split: errors_by_length(recorder.scored) for split, recorder in self.recorders.items()}
        publish(errors_by_length_figure(groups), folder, "errors_by_length", writer, step)
        chosen = self.chosen()
        for place, number in enumerate(chosen, start=1):
            self.show(number, folder, f"recording{place}", writer, step)
        if writer is not None:
            self.play(chosen, writer, step)

    def chosen(self) -> list[int]:
        """Return the numbers of validation recordings: the worst, and some between."""
        scored = self.recorders["validation"].scored
        spread = spread_over(len(scored.told), SHOWN).tolist()
        return list(dict.fromkeys([*scored.worst[:1], *spread]))[: min(SHOWN, len(scored.told))]

    def show(self, number: int, folder: Path, name: str, writer: Any, step: int) -> None:
        """Draw the spectrogram with the symbols told, and the probabilities, of one recording."""
        utterance = self.data.corpus.utterances("validation")[number]
        frames = self.data.kept["validation"][1.0][number]
        planned = PlannedRecordings(0, np.array([number]), np.ones(1, dtype=np.bool_))
        batch = self.data.val_dataloader().batch(planned)
        with evaluating(self.task):
            found = self.task(batch.inputs.to(self.task.device), batch.lengths)[0].cpu().numpy()
        ids, spelling = self.task.decoder.ids(found), self.task.spelling
        seconds = len(found) * self.data.front_end.step_seconds
        heard = [
            ((place.first + place.last + 1) / 2 * self.data.front_end.step_seconds, spelling.symbols[symbol])
            for symbol, place in zip(ids, aligned(found, ids, spelling.blank), strict=True)
        ]
        said = f"{utterance.transcript}  ({utterance.name})"
        publish(spectrogram_figure(frames, seconds, heard, said), folder, f"spectrogram_{name}", writer, step)
        drawn = posterior_figure(np.exp(found), seconds, spelling.symbols, said)
        publish(drawn, folder, f"posterior_{name}", writer, step)

    def play(self, chosen: list[int], writer: SummaryWriter, step: int) -> None:
        """Let TensorBoard play the recordings."""
        rate, last = self.data.front_end.log_mel.sample_rate, max(chosen)
        for number, sound in enumerate(self.data.corpus.sounds("validation")):
            if number in chosen:
                name = f"recordings/{chosen.index(number) + 1}"
                samples = resampled(sound, rate).samples
                writer.add_audio(name, samples[None].clip(-1, 1), step, rate)
            if number == last:
                break

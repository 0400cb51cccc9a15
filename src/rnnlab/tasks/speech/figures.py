"""What a finished speech run shows: sounds with what was heard in them, and where its errors are."""

from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from rnnlab.corpora.sound import resampled
from rnnlab.figures.drawing import publish
from rnnlab.figures.speech import errors_by_length_figure, posterior_figure, spectrogram_figure
from rnnlab.tasks.figures import SPLITS, TaskFigures
from rnnlab.tasks.speech.batches import PlannedRecordings
from rnnlab.tasks.speech.data import SpeechData
from rnnlab.tasks.speech.decoding import aligned
from rnnlab.tasks.speech.recorded import RecordedSpeech, errors_by_length
from rnnlab.tasks.speech.task import SpeechRecognizer
from rnnlab.tasks.task import evaluating

SHOWN = 3
"""Validation recordings that are shown: whoever looks at test recordings will tune to them."""


class SpeechFigures(TaskFigures):
    """Figures of a recognizer.

    Args:
        task: the recognizer.
        data: its recordings.
    """

    recorders: dict[str, RecordedSpeech]

    def __init__(self, task: SpeechRecognizer, data: SpeechData) -> None:
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
        spread = np.linspace(0, len(scored.told) - 1, SHOWN).round().astype(int).tolist()
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

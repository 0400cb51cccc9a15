"""A trained recognizer: it listens to files, folders and lists of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from rnnlab.corpora.recordings import listed_files
from rnnlab.corpora.sound import Resampler, Sound, resampled, sound_of
from rnnlab.errors import DataError, RunError
from rnnlab.signals.front_end import front_end_of
from rnnlab.signals.log_mel import Floats
from rnnlab.tasks.answers import OpenedRun, TrainedModel
from rnnlab.tasks.speech.decoding import Reals, aligned, pieces
from rnnlab.tasks.speech.streaming import StreamedSound, whole_by_chunks
from rnnlab.tasks.speech.task import SpeechRecognizer
from rnnlab.tasks.task import evaluating
from rnnlab.terminal import console
from rnnlab.visible import visible

if TYPE_CHECKING:
    from rnnlab.tasks.speech.exports import SpeechExports

WINDOW = 32
"""Recordings that are heard together, sorted by length; fewer if they last longer than so many minutes."""
LONGEST = 60.0
"""Seconds of a batch, and of the chunks into which a longer recording is cut, each at a quiet place."""
CHUNK = 0.5
"""Seconds that a stream is handed at a time."""


class Word(NamedTuple):
    """A word and where it is heard.

    Attributes:
        word: as told.
        start: seconds.
        end: seconds.
        confidence: the geometric mean of its symbols' probabilities where each is heard best.
    """

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Transcription:
    """What a recording says.

    Attributes:
        name: of the recording.
        seconds: how long it is.
        text: its words.
        words: with times.
    """

    name: str
    seconds: float
    text: str
    words: Sequence[Word]

    @property
    def confidence(self) -> float:
        """The geometric mean of the words' confidences; 1 where nothing is said."""
        shares = [max(word.confidence, 1e-12) for word in self.words]
        return float(np.exp(np.mean(np.log(shares)))) if shares else 1.0

    def row(self) -> dict[str, Any]:
        """Return it as a row of a table; the words' starts, ends and confidences stand in their order."""
        return {
            "recording": self.name,
            "seconds": round(self.seconds, 3),
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "starts": " ".join(f"{word.start:.2f}" for word in self.words),
            "ends": " ".join(f"{word.end:.2f}" for word in self.words),
            "confidences": " ".join(f"{word.confidence:.4f}" for word in self.words),
        }


class TrainedSpeech(TrainedModel):
    """A recognizer that answers; see :class:`TrainedModel` for what it is made of."""

    task: SpeechRecognizer
    shows_files = True

    def __init__(self, run: OpenedRun, device: str = "auto") -> None:
        super().__init__(run, device)
        if "sound" not in run.metadata:
            raise RunError(f"{run.checkpoint} does not say what its features are: it is no recognizer.")
        self.front_end = front_end_of(run.config["batches"], run.metadata["sound"])

    @property
    def exports(self) -> "SpeechExports":
        """ONNX and safetensors."""
        from rnnlab.tasks.speech.exports import SpeechExports

        return SpeechExports(self)

    def transcribe(self, sounds: Iterable[tuple[str, Sound]]) -> Iterator[Transcription]:
        """Yield what each recording says, in their order; memory holds some of them at a time.

        Args:
            sounds: names and sounds, at any rate.
        """
        at_rate = Resampler(self.front_end.log_mel.sample_rate, "The recordings")
        for window in _windows((name, sound.seconds, at_rate(sound)) for name, sound in sounds):
            names, seconds, heard = zip(*window, strict=True)
            if self.task.streaming:
                told = [self.streamed(sound) for sound in heard]
            else:
                told = self.log_probabilities([self.steps(sound) for sound in heard])
            yield from map(self.transcription, names, seconds, told)

    def streamed(self, sound: Sound) -> Reals:
        """Return the log probabilities of a sound that is handed over chunk by chunk."""
        rate, stream = self.front_end.log_mel.sample_rate, self.stream()
        samples, size = resampled(sound, rate).samples, max(1, int(CHUNK * rate))
        parts = [stream.add(samples[start : start + size]) for start in range(0, len(samples), size)]
        return np.concatenate([*parts, stream.end()])

    def steps(self, sound: Sound) -> Floats:
        """Return what the encoder reads of a sound, ``(steps, input_size)``."""
        return self.front_end.steps(self.front_end.frames(sound))

    def log_probabilities(self, parts: Sequence[Floats]) -> list[Reals]:
        """Return the log probabilities ``(steps, symbols + 1)`` of recordings ``(steps, input_size)``."""
        most = int(LONGEST / self.front_end.step_seconds)
        found: dict[int, Reals] = {}
        order = sorted(range(len(parts)), key=lambda number: -len(parts[number]))
        while order and len(parts[order[0]]) > most:
            number = order.pop(0)
            found[number] = whole_by_chunks(self.task, parts[number], most)
        while order:
            count = max(1, WINDOW * most // (8 * len(parts[order[0]])))
            batch, order = order[:count], order[count:]
            found |= dict(zip(batch, self.of_batch([parts[number] for number in batch]), strict=True))
        return [found[number] for number in range(len(parts))]

    def of_batch(self, parts: Sequence[Floats]) -> list[Reals]:
        """Return the log probabilities of some recordings, computed together."""
        lengths = torch.tensor([len(part) for part in parts])
        inputs = torch.zeros(len(parts), int(lengths.max()), parts[0].shape[1])
        for row, part in enumerate(parts):
            inputs[row, : len(part)] = torch.from_numpy(part)
        with evaluating(self.task):
            found = self.task(inputs.to(self.device), lengths).cpu().numpy()
        return [row[:length] for row, length in zip(found, lengths.tolist(), strict=True)]

    def transcription(self, name: str, seconds: float, log_probabilities: Reals) -> Transcription:
        """Return what a recording says, its words placed by the best path that spells them."""
        words = [
            word
            for first, part in pieces(log_probabilities, self.task.spelling)
            for word in self.words(self.task.decoder.ids(part), part, first)
        ]
        return Transcription(name, seconds, " ".join(word.word for word in words), words)

    def words(self, ids: Sequence[int], log_probabilities: Reals, start: int) -> list[Word]:
        """Return the words of a text with their times, of a part that begins at a step of the recording."""
        spelling, step = self.task.spelling, self.front_end.step_seconds
        places = aligned(log_probabilities, ids, spelling.blank)
        found: list[Word] = []
        letters, begun, shares = "", 0.0, list[float]()

        def close(end: float) -> None:
            if letters:
                found.append(Word(letters, begun, end, float(np.exp(np.mean(np.log(shares))))))

        end = 0.0
        for number, place in enumerate(places):
            for letter in spelling.written(tuple(ids[:number]), ids[number]):
                if letter.isspace():
                    close(end)
                    letters, shares = "", []
                    continue
                begun = begun if letters else (start + place.first) * step
                letters, end = letters + letter, (start + place.last + 1) * step
                shares.append(max(place.probability, 1e-12))
        close(end)
        return found

    def stream(self) -> StreamedSound:
        """Return what takes sound chunk by chunk, and tells the text so far.

        Raises:
            RunError: if the encoder reads backwards, or features are normalised over whole recordings.
        """
        return StreamedSound(self.task, self.front_end, str(self.run.checkpoint))

    def file_answers(self, file: Path, horizon: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield a row for each recording: a file, those of a folder, or those that a list names.

        Raises:
            DataError: naming a recording that is missing or damaged.
            RunError: if a horizon is asked for.
        """
        if horizon is not None:
            raise self.refusal("forecast", "forecasting")
        for transcription in self.listen(file):
            yield transcription.row()

    def show_files(self, source: Path) -> None:
        """Print the transcript of each recording with its words' times and confidences."""
        for transcription in self.listen(source):
            show(transcription)

    def listen(self, source: Path) -> Iterator[Transcription]:
        """Yield what is said in a file, in the files of a folder, or in those that a list names.

        Raises:
            DataError: naming a recording that is missing or damaged.
        """
        return self.transcribe((name, sound_in(file)) for name, file in listed_files(source))


def _windows(sounds: Iterable[tuple[str, float, Sound]]) -> Iterator[list[tuple[str, float, Sound]]]:
    """Yield recordings (name, seconds, sound) some at a time, as many as memory holds."""
    window: list[tuple[str, float, Sound]] = []
    for recording in sounds:
        window.append(recording)
        if len(window) == WINDOW or sum(seconds for _, seconds, _ in window) > 60 * WINDOW:
            yield window
            window = []
    if window:
        yield window


def sound_in(file: Path) -> Sound:
    """Return the sound of a file.

    Raises:
        DataError: if it is missing or damaged.
    """
    try:
        return sound_of(file.read_bytes(), str(file))
    except OSError as error:
        raise DataError(f"{file} can't be read: {error.strerror}.") from error


def show(transcription: Transcription) -> None:
    """Print a transcript with its words' times and confidences."""
    console.print(visible(transcription.name), style="bold")
    console.print(f"  {visible(transcription.text) or '(nothing is said)'}")
    for word in transcription.words:
        console.print(
            f"  {word.start:8.2f} to {word.end:.2f} s  {word.confidence:6.1%}  {visible(word.word)}",
        )

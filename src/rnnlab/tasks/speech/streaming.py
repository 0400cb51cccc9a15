"""Listening while somebody speaks: chunk by chunk, with the state carried along, equal to the whole."""

import numpy as np
import torch

from rnnlab.cells.cell import State
from rnnlab.errors import RunError
from rnnlab.signals.front_end import FrontEnd
from rnnlab.signals.log_mel import Floats, stacked
from rnnlab.tasks.speech.decoding import Reals
from rnnlab.tasks.speech.task import SpeechRecognizer
from rnnlab.tasks.task import evaluating

QUIET = 0.25
"""The share of a chunk at its end in which the quietest place is looked for."""


class StreamedSteps:
    """Log probabilities of steps that come in pieces.

    Args:
        task: the recognizer, whose encoder must not read backwards.
    """

    def __init__(self, task: SpeechRecognizer) -> None:
        self.task = task
        self.state: State | None = None

    def add(self, steps: Floats) -> Reals:
        """Return the log probabilities ``(steps, symbols + 1)`` of what follows, ``(steps, input_size)``."""
        if not len(steps):
            return np.empty((0, self.task.spelling.blank + 1), dtype=np.float32)
        device = next(self.task.parameters()).device
        with evaluating(self.task):
            outputs, self.state = self.task.encoder(
                torch.from_numpy(steps).unsqueeze(0).to(device), None, self.state
            )
            found: Reals = self.task.read(outputs)[0].cpu().numpy()
        return found


class StreamedSound:
    """Takes samples as they come.

    Args:
        task: the recognizer.
        front_end: what of a sound it reads.
        name: of the run, for errors.

    Raises:
        RunError: if the encoder reads backwards, or features are normalised over whole recordings.
    """

    def __init__(self, task: SpeechRecognizer, front_end: FrontEnd, name: str) -> None:
        check_streams(task, front_end, name)
        self.front_end = front_end
        self.steps = StreamedSteps(task)
        self.task = task
        self._last: float | None = None
        self._samples = np.empty(0, dtype=np.float32)
        self._frames = np.empty((0, front_end.log_mel.bands), dtype=np.float32)
        self._heard = 0
        self._told: list[Reals] = []

    def add(self, samples: Floats) -> Reals:
        """Return the log probabilities of the steps that samples ``(time,)``, at the model's rate, end."""
        log_mel, front_end = self.front_end.log_mel, self.front_end
        if len(samples):
            new = log_mel.emphasized(samples, self._last)
            self._last = float(samples[-1])
            self._samples = np.concatenate((self._samples, new))
        if len(self._samples) >= log_mel.width:
            frames = log_mel.of_emphasized(self._samples)
            self._samples = self._samples[len(frames) * log_mel.step :]
            self._take(frames)
        ready = max(0, (len(self._frames) - front_end.stack) // front_end.stride + 1)
        return self._read(ready)

    def end(self) -> Reals:
        """Return the log probabilities of what is left when nothing more comes."""
        if not self._heard:  # a sound that is shorter than a frame has one
            self._take(self.front_end.log_mel.of_emphasized(self._samples))
        return self._read(-(-len(self._frames) // self.front_end.stride))

    @property
    def text(self) -> str:
        """What was said so far."""
        if not self._told:
            return ""
        return self.task.decoder.text(np.concatenate(self._told))

    def _take(self, frames: Floats) -> None:
        self._heard += len(frames)
        self._frames = np.concatenate((self._frames, self.front_end.normalised(frames)))

    def _read(self, steps: int) -> Reals:
        front_end = self.front_end
        ready = np.empty((0, front_end.input_size), dtype=np.float32)
        if steps:
            enough = (steps - 1) * front_end.stride + front_end.stack
            ready = stacked(self._frames[:enough], front_end.stack, front_end.stride)[:steps]
        self._frames = self._frames[steps * front_end.stride :]
        told = self.steps.add(ready)
        self._told.append(told)
        return told


def check_streams(task: SpeechRecognizer, front_end: FrontEnd, name: str) -> None:
    """Check that a recognizer needs nothing of what follows.

    Raises:
        RunError: saying what it needs.
    """
    if task.encoder.is_bidirectional:
        raise RunError(
            f"{name} reads each recording from its end, too, and can't listen to one that goes on: train "
            "with model.bidirectional=false."
        )
    if front_end.normalise != "corpus":
        raise RunError(
            f"{name} normalises features over each {front_end.normalise}, all of which it must have heard: "
            "train with batches.normalise=corpus."
        )
    if front_end.log_mel.dither:
        raise RunError(f"{name} has dither in its features: train with batches.features.dither=0.")


def whole_by_chunks(task: SpeechRecognizer, steps: Floats, most: int) -> Reals:
    """Return the log probabilities of a long recording, ``most`` steps at a time.

    The state is carried from chunk to chunk where the encoder reads forwards alone, and the answer is that of
    the whole; a bidirectional one is asked anew, each chunk ending in the quietest place of its last quarter.
    """
    streamed, found, start = StreamedSteps(task), [], 0
    while start < len(steps):
        end = min(start + most, len(steps))
        if task.encoder.is_bidirectional:
            streamed.state = None
            if end < len(steps):
                search = max(1, int(QUIET * most))
                end = end - search + int(steps[end - search : end].mean(axis=1).argmin()) + 1
        found.append(streamed.add(steps[start:end]))
        start = end
    return np.concatenate(found)

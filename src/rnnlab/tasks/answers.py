"""What can be asked of a trained model; each task's answers what it can and refuses the rest by name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.errors import ConfigError, RunError
from rnnlab.figures.explanation import Explanation
from rnnlab.tasks.task import Task
from rnnlab.text.tokenizers import Tokenizer
from rnnlab.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rnnlab.data.task_data import TaskData
    from rnnlab.tasks.exports import Exports
    from rnnlab.tasks.language_model.generation import Sampling

WINDOW = 4096
"""Texts that are looked at together, sorted by length."""


@dataclass(frozen=True)
class OpenedRun:
    """What a checkpoint holds, the network rebuilt."""

    checkpoint: Path
    config: dict[str, Any]
    """The run's resolved configuration."""
    task: Task
    """The trained network, in evaluation mode, on the CPU."""
    model_arguments: dict[str, Any]
    """What the network was made with of its data, as plain values."""
    reading: tuple[Tokenizer, Vocabulary] | None
    """How text becomes ids; None for a model that reads no text."""
    labels: tuple[str, ...]
    """Class names in the order of their ids; empty where there are none."""
    metadata: Mapping[str, Any]
    """All that the checkpoint says of itself."""

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts text into tokens.

        Raises:
            RunError: if the model reads no text.
        """
        return self.read_by()[0]

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens' ids.

        Raises:
            RunError: if the model reads no text.
        """
        return self.read_by()[1]

    def read_by(self) -> tuple[Tokenizer, Vocabulary]:
        """Return tokenizer and vocabulary.

        Raises:
            RunError: if the model reads no text.
        """
        if self.reading is None:
            raise RunError(f"{self.checkpoint} is a model of task={self.task_name}, which reads no text.")
        return self.reading

    @property
    def task_name(self) -> str:
        """What the model is for: ``sentiment``, ``language_model``..."""
        return str(self.config["task"]["name"])


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text.

    Attributes:
        label: the most probable class.
        probabilities: of each class, in the order of the model's labels, ``(classes,)``.
        tokens: how many tokens the text has; 0 for an empty one.
        read: how many the model read of them; an empty text is read as a lone ``<eos>``.
        several: of a model that tells any number of classes, those it tells; ``label`` is then their names
            with the data's separator between them. None of one that tells the most probable.
    """

    label: str
    probabilities: npt.NDArray[np.float32]
    tokens: int
    read: int
    several: tuple[str, ...] | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The classes that are told."""
        return (self.label,) if self.several is None else self.several


@dataclass(frozen=True)
class Answered:
    """What a classifier says of all that a split holds.

    Attributes:
        classes: their names in id order.
        targets: the right ones ``(documents,)``.
        probabilities: ``(documents, classes)``.
        scores: returns the metrics that training reports, of probabilities of these targets.
    """

    classes: tuple[str, ...]
    targets: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    scores: Callable[[npt.NDArray[Any]], dict[str, float]]


class TrainedModel:
    """A trained model. ``rnnlab.load`` returns the kind that its task names.

    Attributes:
        tells_classes: whether it answers with classes and their probabilities.
        shows_files: whether what it answers to files can be shown on a terminal, by :meth:`show_files`.
        max_length: tokens read of a text at most; None for all.

    Args:
        run: the opened run.
        device: ``cpu``, ``cuda`` or ``auto``: a GPU where there is one.

    Raises:
        ConfigError: if there is no such device.
    """

    tells_classes = False
    shows_files = False
    max_length: int | None = None

    def __init__(self, run: OpenedRun, device: str = "auto") -> None:
        self.run = run
        self.task = run.task
        self.labels = run.labels
        self.config: dict[str, Any] = run.config
        self.task.to(device_named(device))

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts text into tokens."""
        return self.run.tokenizer

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens' ids."""
        return self.run.vocabulary

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.task.parameters()).device

    @property
    def exports(self) -> "Exports":
        """The forms in which the model can leave rnnlab."""
        from rnnlab.tasks.exports import Exports

        return Exports(self)

    def join_simple(self, folder: Path, weight: float | None = None) -> None:
        """Answer, from now on, mixed with the simple method that is kept with the run.

        Args:
            folder: the run's.
            weight: of the simple method; None as kept.
        """
        raise self.refusal("answer together with a simple method", "sentiment")

    def predict(self, texts: Iterable[str]) -> list[str]:
        """Return the most probable class of each text."""
        raise self.refusal("tell classes", "sentiment")

    def predict_proba(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Return the probability of each class for each text, ``(texts, classes)``."""
        raise self.refusal("tell classes", "sentiment")

    def predictions(self, texts: Iterable[str], window: int = WINDOW) -> Iterator[Prediction]:
        """Return what the model says of each text, in their order."""
        raise self.refusal("tell classes", "sentiment")

    def answered(self, data: "TaskData") -> Answered:
        """Return what the model says of a prepared split, for several models to answer together."""
        raise self.refusal("tell classes", "sentiment")

    def show_files(self, source: Path) -> None:
        """Show what a file, a folder or a list of files has for an answer."""
        raise self.refusal("show what files say", "speech")

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Return what each word did to the answer."""
        raise self.refusal("explain an answer", "sentiment or task=language_model")

    def forecast(self, frame: Any, horizon: int | None = None) -> Any:
        """Return what comes next in each series of a pandas DataFrame, as a DataFrame."""
        raise self.refusal("forecast", "forecasting")

    def file_answers(self, file: Path, horizon: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows of the answer to a whole table, of a model that does not answer row by row."""
        raise self.refusal("tell classes", "sentiment")

    def file_explanations(self, file: Path, target: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield what each part of a table did to the answer to all of it, as rows."""
        raise ConfigError(
            f'explain=true needs text="…", one text: a model of task={self.run.task_name} explains no table.'
        )

    def generate(
        self,
        prompt: str = "",
        *,
        samples: int = 1,
        seed: int = 1,
        max_tokens: int = 100,
        sampling: "Sampling | None" = None,
    ) -> list[str]:
        """Return texts that begin with ``prompt``; see :meth:`streams`."""
        streams = self.streams(prompt, samples=samples, seed=seed, max_tokens=max_tokens, sampling=sampling)
        return ["".join(pieces) for pieces in streams]

    def streams(
        self,
        prompt: str = "",
        *,
        samples: int = 1,
        seed: int = 1,
        max_tokens: int = 100,
        sampling: "Sampling | None" = None,
        whole_document: bool = False,
    ) -> Iterator[Iterator[str]]:
        """Yield texts that begin with ``prompt``, each in pieces as its tokens come."""
        raise self.refusal("write", "language_model")

    def perplexity(self, text: str) -> float:
        """Return the perplexity of a text."""
        raise self.refusal("tell a perplexity", "language_model")

    def unknown_words(self, text: str) -> Sequence[str]:
        """Return the text's tokens that the vocabulary lacks, each once; the model reads ``<unk>``."""
        return self.vocabulary.missing(self.tokenizer.encode(text))

    def refusal(self, ability: str, tasks: str) -> RunError:
        """Return the error for what this kind of model can't do."""
        return RunError(
            f"{self.run.checkpoint} is a model of task={self.run.task_name}, which can't {ability}: "
            f"take one of task={tasks}."
        )


def device_named(name: str) -> torch.device:
    """Return the device; ``auto`` is a CUDA GPU where there is one, else the CPU.

    Raises:
        ConfigError: if there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = {"gpu": "cuda"}.get(name, name)
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"device={name}: choose auto, cpu or gpu.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device=cuda, but PyTorch sees no CUDA GPU here. Use device=cpu or device=auto.")
    return torch.device(name)

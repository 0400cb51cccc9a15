"""What can be asked of a trained model; each kind answers what it can and refuses the rest by name."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.errors import ConfigError, RunError
from rnnlab.figures.explanation import Explanation
from rnnlab.tasks.language_model.sampling import Sampling
from rnnlab.runs.load import OpenedRun
from rnnlab.text.tokenizers import Tokenizer
from rnnlab.text.vocabulary import Vocabulary


class TrainedModel:
    """A trained model with its tokenizer and vocabulary. ``rnnlab.load`` returns the kind that fits.

    Args:
        run: the opened run.
        device: ``cpu``, ``cuda`` or ``auto``: a GPU where there is one.

    Raises:
        ConfigError: if there is no such device.
    """

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

    def predict(self, texts: Iterable[str]) -> list[str]:
        """Return the most probable class of each text."""
        raise self.refusal("tell classes", "sentiment")

    def predict_proba(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Return the probability of each class for each text, ``(texts, classes)``."""
        raise self.refusal("tell classes", "sentiment")

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Return what each word did to the answer."""
        raise self.refusal("explain an answer", "sentiment or task=language_model")

    def generate(
        self,
        prompt: str = "",
        *,
        samples: int = 1,
        seed: int = 1,
        max_tokens: int = 100,
        sampling: Sampling | None = None,
    ) -> list[str]:
        """Return texts that begin with ``prompt``."""
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

"""A trained network, or what was exported of it, asked the same questions in the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from rnnlab.cells.cell import State
from rnnlab.errors import ConfigError
from rnnlab.models.language_model import LanguageModel
from rnnlab.models.sentiment import SentimentClassifier

ClassifierAnswers = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Tokens ``(batch, time)`` and lengths ``(batch,)`` to logits and probabilities."""

LanguageAnswers = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""Tokens ``(batch, time)`` and a state (None at first) to log-probabilities ``(batch, time, ids)``, state."""


def classifier_answers(task: SentimentClassifier) -> ClassifierAnswers:
    """Return what the trained classifier itself answers."""

    def answers(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            logits = cast(Tensor, task(tokens, lengths))
            return logits, task.probabilities(logits)

    return answers


def language_answers(task: LanguageModel) -> LanguageAnswers:
    """Return what the trained language model itself answers."""

    def answers(tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        with torch.inference_mode():
            hidden, after = task(tokens, state)
            found = task.decoder.log_probabilities(hidden.flatten(0, 1))
            return found.view(*tokens.shape, -1), after

    return answers


def scripted_answers(file: Path) -> Any:
    """Return what a TorchScript file answers; a language model's first state is its own to make."""
    module = torch.jit.load(str(file)).eval()  # type: ignore[no-untyped-call]

    def answers(tokens: Tensor, more: Any) -> Any:
        # Unoptimized: a few batches are not worth compiling for.
        with torch.inference_mode(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            state = module.initial_state(len(tokens)) if more is None else more
            return module(tokens, list(state) if isinstance(state, tuple) else state)

    return answers


class OnnxAnswers:
    """What an ONNX file answers, in onnxruntime on as many threads as PyTorch has.

    Args:
        file: the model.

    Raises:
        ConfigError: if onnxruntime is not installed.
    """

    def __init__(self, file: Path) -> None:
        try:
            from onnxruntime import InferenceSession, SessionOptions
        except ImportError as error:
            raise lacking("onnxruntime") from error
        options = SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def of_classifier(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities."""
        logits, probabilities = self.run({"tokens": tokens, "lengths": lengths})
        return logits, probabilities

    def of_language_model(self, tokens: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, Any]:
        """Return log-probabilities and the state after the last token."""
        _, *inputs = self.session.get_inputs()
        before = state or [torch.zeros(len(tokens), given.shape[1]) for given in inputs]
        named = {given.name: part for given, part in zip(inputs, before, strict=True)}
        found, *after = self.run({"tokens": tokens, **named})
        return found, tuple(after)

    def run(self, feed: dict[str, Tensor]) -> list[Tensor]:
        """Return every output of the graph."""
        given = {name: np.ascontiguousarray(part.numpy()) for name, part in feed.items()}
        return [torch.from_numpy(part) for part in self.session.run(None, given)]


def lacking(package: str) -> ConfigError:
    """Return the error for a package that only an export needs."""
    return ConfigError(f"This export needs {package}: pip install 'rnnlab[export]' (or {package} alone).")

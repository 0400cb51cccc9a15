"""How far what was exported differs from PyTorch: over mixed batches of random words, of all lengths."""

import copy
from typing import TypeVar

import numpy as np
import torch

from rnnlab.models.task import Task
from rnnlab.runs.exports.answers import (
    ClassifierAnswers,
    LanguageAnswers,
    classifier_answers,
    language_answers,
)
from rnnlab.runs.trained_classifier import TrainedClassifier, in_a_row
from rnnlab.runs.trained_language_model import TrainedLanguageModel

BATCHES, BATCH, LONGEST = 8, 32, 500  # texts; tokens of a text
WINDOWS = (35, 1, 7)  # tokens that a language model reads one after another, the state carried

Trained = TypeVar("Trained", bound=Task)


def classifier_difference(model: TrainedClassifier, exported: ClassifierAnswers) -> float:
    """Return the largest difference of probabilities."""
    ours = classifier_answers(by_pytorch(model.task))
    random = np.random.default_rng(1)
    differences: list[float] = []
    for _ in range(BATCHES):
        texts = [
            random.integers(len(model.vocabulary), size=length, dtype=np.int32)
            for length in random.integers(1, LONGEST + 1, size=BATCH)
        ]
        batch = model.batch(in_a_row(texts), np.arange(BATCH))
        found, expected = (answers(batch.tokens, batch.lengths)[1] for answers in (exported, ours))
        differences.append(float((found - expected).abs().max()))
    return largest_of(differences)


def language_difference(model: TrainedLanguageModel, exported: LanguageAnswers) -> float:
    """Return the largest difference of log-probabilities, relative to those beyond 1, the state carried.

    A probability is one of thousands in a vocabulary: too small for its difference to tell anything.
    """
    ours = language_answers(by_pytorch(model.task))
    random = np.random.default_rng(1)
    differences: list[float] = []
    states: list[object] = [None, None]
    for window in WINDOWS:
        tokens = torch.from_numpy(random.integers(len(model.vocabulary), size=(4, window)))
        found, states[0] = exported(tokens, states[0])
        expected, states[1] = ours(tokens, states[1])
        differences.append(float(((found - expected).abs() / expected.abs().clamp(min=1)).max()))
    return largest_of(differences)


def by_pytorch(task: Trained) -> Trained:
    """Return a copy that runs on PyTorch's kernels alone, so that the check compiles nothing."""
    plain = copy.deepcopy(task)
    for module in plain.modules():
        if hasattr(module, "backend"):
            module.backend = "torch"  # type: ignore[assignment]
    return plain


def largest_of(differences: list[float]) -> float:
    """Return the largest, NaN if any is: Python's ``max`` would pass over it.

    >>> largest_of([0.0, float("nan"), 1.0])
    nan
    """
    return float(np.max(differences))

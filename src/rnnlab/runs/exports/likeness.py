"""How far what was exported differs from PyTorch: over mixed batches of random words, of all lengths."""

import copy
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rnnlab.models.encoder import RecurrentEncoder
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
    largest = 0.0
    for _ in range(BATCHES):
        texts = [
            random.integers(len(model.vocabulary), size=length, dtype=np.int32)
            for length in random.integers(1, LONGEST + 1, size=BATCH)
        ]
        batch = model.batch(in_a_row(texts), np.arange(BATCH))
        found, expected = (answers(batch.tokens, batch.lengths)[1] for answers in (exported, ours))
        largest = max(largest, apart(found, expected))
    return largest


def language_difference(model: TrainedLanguageModel, exported: LanguageAnswers) -> float:
    """Return the largest difference of probabilities, from window to window with the state carried."""
    ours = language_answers(by_pytorch(model.task))
    random = np.random.default_rng(1)
    largest = 0.0
    states: list[object] = [None, None]
    for window in WINDOWS:
        tokens = torch.from_numpy(random.integers(len(model.vocabulary), size=(4, window)))
        found, states[0] = exported(tokens, states[0])
        expected, states[1] = ours(tokens, states[1])
        largest = max(largest, apart(found.exp(), expected.exp()))
    return largest


def by_pytorch(task: Trained) -> Trained:
    """Return a copy that runs on PyTorch's kernels alone, so that the check compiles nothing."""
    plain = copy.deepcopy(task)
    for module in plain.modules():
        if isinstance(module, RecurrentEncoder):
            module.backend = "torch"
    return plain


def apart(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference, NaN where a number is lacking."""
    return float((found - expected).abs().max())

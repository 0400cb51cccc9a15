"""A classifier's exports: how each is written, and how far its answers are from PyTorch's."""

import copy
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from rnnlab.tasks.exports import (
    Answers,
    NetworkExports,
    OnnxAnswers,
    by_pytorch,
    largest_of,
)
from rnnlab.tasks.sentiment.answers import TrainedClassifier, in_a_row
from rnnlab.tasks.sentiment.task import SentimentClassifier

BATCHES, BATCH, LONGEST = 8, 32, 500  # texts; tokens of a text


class ClassifierExports(NetworkExports):
    """A classifier as ONNX, in float32 or int8, and as TorchScript."""

    model: TrainedClassifier

    def graph(self, layers: Any, form: str) -> Any:
        """See :class:`NetworkExports`."""
        from rnnlab.tasks.sentiment.onnx import classifier_model

        return classifier_model(self.model.task, layers, form)

    def scriptable(self) -> nn.Module:
        """See :class:`NetworkExports`."""
        from rnnlab.tasks.sentiment.torchscript import PlainClassifier

        return PlainClassifier(self.model.task)

    def answers(self) -> Answers:
        """Return logits and probabilities of ids ``(batch, time)`` with lengths ``(batch,)``."""
        return answers_of(self.model.task)

    def answers_of(self, exported: OnnxAnswers) -> Answers:
        """See :class:`NetworkExports`."""
        return onnx_answers(exported)

    def answering(self, answers: Answers) -> SentimentClassifier:
        """See :class:`NetworkExports`."""
        task = copy.deepcopy(self.model.task)
        task.forward = lambda tokens, lengths: answers(tokens, lengths)[0]  # type: ignore[method-assign]
        return task

    def difference(self, exported: Any) -> float:
        """Return the largest difference of probabilities, over mixed batches of random words."""
        ours = answers_of(by_pytorch(self.model.task))
        random = np.random.default_rng(1)
        differences: list[float] = []
        for _ in range(BATCHES):
            texts = [
                random.integers(len(self.model.vocabulary), size=length, dtype=np.int32)
                for length in random.integers(1, LONGEST + 1, size=BATCH)
            ]
            batch = self.model.batch(in_a_row(texts), np.arange(BATCH))
            found, expected = (answers(batch.inputs, batch.lengths)[1] for answers in (exported, ours))
            differences.append(float((found - expected).abs().max()))
        return largest_of(differences)


def onnx_answers(exported: OnnxAnswers) -> Answers:
    """Return what an ONNX file of a classifier answers: logits and probabilities."""

    def answers(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        logits, probabilities = exported.run({"tokens": tokens, "lengths": lengths})
        return logits, probabilities

    return answers


def answers_of(task: SentimentClassifier) -> Answers:
    """Return what a classifier answers: logits and probabilities."""

    def answers(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            logits = cast(Tensor, task(tokens, lengths))
            return logits, task.probabilities(logits)

    return answers

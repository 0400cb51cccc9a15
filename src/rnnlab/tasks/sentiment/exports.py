"""A classifier's exports: how each is written, and how far its answers are from PyTorch's."""

import copy
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from rnnlab.tasks.exports import (
    Answers,
    Exports,
    OnnxAnswers,
    by_pytorch,
    largest_of,
    layers_named,
    scripted_answers,
)
from rnnlab.tasks.sentiment.answers import TrainedClassifier, in_a_row
from rnnlab.tasks.sentiment.task import SentimentClassifier

BATCHES, BATCH, LONGEST = 8, 32, 500  # texts; tokens of a text


class ClassifierExports(Exports):
    """A classifier as ONNX, in float32 or int8, and as TorchScript."""

    graphs = ("onnx", "int8", "torchscript")
    model: TrainedClassifier

    def write_onnx(self, file: Path, form: str) -> float:
        """See :class:`Exports`."""
        layers = layers_named(form)
        from rnnlab.tasks.sentiment.onnx import classifier_model

        graph = classifier_model(self.model.task, layers, form)
        file.write_bytes(graph.SerializeToString())
        return self.difference(self.answers_of(OnnxAnswers(file)))

    def write_torchscript(self, file: Path) -> float:
        """See :class:`Exports`."""
        from rnnlab.tasks.sentiment.torchscript import PlainClassifier

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch would have new code use torch.export
            plain = PlainClassifier(self.model.task)
            torch.jit.script(plain.eval()).save(str(file))  # type: ignore[no-untyped-call]
            return self.difference(scripted_answers(file))

    def answers(self) -> Answers:
        """Return logits and probabilities of ids ``(batch, time)`` with lengths ``(batch,)``."""
        return answers_of(self.model.task)

    def answers_of(self, exported: OnnxAnswers) -> Answers:
        """See :class:`Exports`."""
        return onnx_answers(exported)

    def answering(self, answers: Answers) -> SentimentClassifier:
        """See :class:`Exports`."""
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

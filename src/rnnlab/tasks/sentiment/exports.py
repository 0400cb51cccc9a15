"""A classifier's exports: how each is written, and how far its answers are from PyTorch's."""

import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rnnlab.encoder.foreign_weights import CELLS, POOLINGS, from_keras, in_keras
from rnnlab.errors import ConfigError
from rnnlab.files.keras_file import KerasLayer, read_keras, write_keras
from rnnlab.graphs.network_parts import moments_of, stacked
from rnnlab.tasks.exports import (
    TOLERANCE,
    Answers,
    NetworkExports,
    OnnxAnswers,
    by_pytorch,
    checked,
    largest_of,
)
from rnnlab.tasks.sentiment.answers import TrainedClassifier, in_a_row
from rnnlab.tasks.sentiment.task import SentimentClassifier

BATCHES, BATCH, LONGEST = 8, 32, 500  # texts; tokens of a text


class ClassifierExports(NetworkExports):
    """A classifier as ONNX, in float32 or int8, and as TorchScript."""

    model: TrainedClassifier

    def write(self, format: str, file: Path) -> float:
        """See :class:`NetworkExports`; Keras's file, too."""
        if format != "keras":
            return super().write(format, file)
        write_keras(file, keras_layers(self.model.task))
        weights = self.model.task.state_dict()
        read = from_keras(read_keras(file.absolute()), file).recurrent
        own = {name: weights[f"encoder.network.{name}"] for name in read}
        pairs = [(read[name], own[name]) for name in read if name.startswith("weight")]
        return checked(largest_of([float((part - weight).abs().max()) for part, weight in pairs]), TOLERANCE)

    def graph(self, layers: Any, form: str) -> Any:
        """See :class:`NetworkExports`."""
        from rnnlab.tasks.sentiment.onnx import classifier_model

        return classifier_model(self.model.task, layers, form)

    def scriptable(self) -> nn.Module:
        """See :class:`NetworkExports`."""
        from rnnlab.tasks.sentiment.torchscript import PlainClassifier

        return PlainClassifier(self.model.task)

    @staticmethod
    def answers_of(task: SentimentClassifier) -> Answers:
        """Return logits and probabilities of ids ``(batch, time)`` with lengths ``(batch,)``."""

        def answers(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            with torch.inference_mode():
                logits = cast(Tensor, task(tokens, lengths))
                return logits, task.probabilities(logits)

        return answers

    @staticmethod
    def onnx_answers(exported: OnnxAnswers) -> Answers:
        """See :class:`NetworkExports`."""

        def answers(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            logits, probabilities = exported.run({"tokens": tokens, "lengths": lengths})
            return logits, probabilities

        return answers

    def answering(self, answers: Answers) -> SentimentClassifier:
        """See :class:`NetworkExports`."""
        task = copy.deepcopy(self.model.task)
        task.forward = lambda tokens, lengths: answers(tokens, lengths)[0]  # type: ignore[method-assign]
        return task

    def difference(self, exported: Any) -> float:
        """Return the largest difference of probabilities, over mixed batches of random words."""
        ours = self.answers_of(by_pytorch(self.model.task))
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


def keras_layers(task: SentimentClassifier) -> list[KerasLayer]:
    """Return the network as Keras's layers.

    It reads every id that it is given, padding included: texts go in by themselves, or of one length.

    Raises:
        ConfigError: if Keras has no such cell, blocks, pooling or order of reading.
    """
    stack = stacked(task.encoder, "keras")
    kinds = {cell: kind for kind, cell in CELLS.items()}
    cell = stack[0][0].cell
    (pooling, *others) = moments_of(task.pooling, "keras")
    if cell.name not in kinds or task.reads_backward or others or pooling == "attention":
        raise ConfigError(
            "format=keras is for cells rnn, gru and lstm that read forwards, with task.pooling=last, mean or "
            "max. Use format=onnx."
        )
    table = plain(task.embedding.weight)
    size = {"input_dim": table.shape[0], "output_dim": table.shape[1]}
    layers = [KerasLayer("Embedding", size, [table])]
    for number, directions in enumerate(stack, start=1):
        weights = [in_keras(cell.name, list(direction.weights.values())) for direction in directions]
        whole = number < len(stack) or pooling != "last"
        options: dict[str, Any] = {"units": stack[0][0].hidden_size, "return_sequences": whole}
        options |= {"activation": getattr(cell, "nonlinearity", "tanh")} if cell.name == "rnn" else {}
        options |= {"reset_after": True} if cell.name == "gru" else {}
        layer = KerasLayer(kinds[cell.name], options, weights[0])
        layers.append(layer if len(weights) == 1 else both_ways(layer, weights[1]))
    if pooling != "last":
        kind = next(kind for kind, name in POOLINGS.items() if name == pooling)
        layers.append(KerasLayer(kind, {}, []))
    activation = "softmax" if task.exclusive and not task.is_binary else "sigmoid"
    readout = [plain(task.classifier.weight.T), plain(task.classifier.bias)]
    units = task.classifier.out_features
    return [*layers, KerasLayer("Dense", {"units": units, "activation": activation}, readout)]


def both_ways(layer: KerasLayer, backwards: list[Any]) -> KerasLayer:
    """Return a layer that reads from both ends."""

    def inner(**more: Any) -> dict[str, Any]:
        options = {**layer.options, **more}
        return {
            "module": "keras.layers",
            "class_name": layer.kind,
            "config": options,
            "registered_name": None,
        }

    options = {"layer": inner(), "merge_mode": "concat", "backward_layer": inner(go_backwards=True)}
    return KerasLayer("Bidirectional", options, [*layer.weights, *backwards])


def plain(weight: Tensor) -> npt.NDArray[np.float32]:
    """Return a weight as an array."""
    return np.ascontiguousarray(weight.detach().float().cpu().numpy())

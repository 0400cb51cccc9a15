"""A recognizer as ONNX: from what its encoder reads to the log probability of each symbol."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rnnlab.tasks.exports import (
    TOLERANCE,
    Exports,
    OnnxAnswers,
    by_pytorch,
    checked,
    largest_of,
    layers_named,
)
from rnnlab.tasks.speech.task import SpeechRecognizer

if TYPE_CHECKING:
    from rnnlab.tasks.speech.answers import TrainedSpeech

LENGTHS = ((1,), (9, 4, 1), (40, 40, 23, 7))
"""Steps of the recordings of random numbers that are compared at a time."""


class SpeechExports(Exports):
    """A recognizer as ONNX, behind the features, beside the weights alone."""

    model: "TrainedSpeech"

    def write(self, format: str, file: Path) -> float:
        """See :class:`Exports`."""
        if format != "onnx":
            return super().write(format, file)
        file.write_bytes(speech_model(self.model.task, layers_named(format)).SerializeToString())
        return checked(self.difference(OnnxAnswers(file)), TOLERANCE)

    def meanings(self) -> dict[str, Any]:
        """Return the symbols, the blank's id, what makes steps of sound, and the time between two steps."""
        batches, front_end = self.model.config["batches"], self.model.front_end
        return {
            "symbols": list(self.model.task.spelling.symbols),
            "blank": self.model.task.spelling.blank,
            "sound": front_end.metadata(),
            "step_seconds": front_end.step_seconds,
            **{name: batches[name] for name in ("features", "normalise", "stack", "stride")},
        }

    def difference(self, exported: OnnxAnswers) -> float:
        """Return the largest difference of log probabilities within recordings of several lengths."""
        task, chance = by_pytorch(self.model.task), torch.Generator().manual_seed(1)
        differences = []
        for lengths in map(torch.tensor, LENGTHS):
            size = self.model.front_end.input_size
            inputs = torch.randn(len(lengths), int(lengths.max()), size, generator=chance)
            with torch.inference_mode():
                expected = task(inputs, lengths)
            (found,) = exported.run({"inputs": inputs, "lengths": lengths})
            steps = torch.arange(inputs.shape[1]) < lengths[:, None]
            differences.append(float((found - expected)[steps].abs().max()))
        return largest_of(differences)


def speech_model(task: SpeechRecognizer, layers: Any) -> Any:
    """Return the network as an ONNX model.

    Inputs: ``inputs (batch, time, input_size)``, right-padded, and ``lengths (batch,)``. Output:
    ``log_probabilities (batch, time, symbols + 1)``, the blank last.

    Args:
        task: the trained network.
        layers: in which arithmetic.

    Raises:
        ConfigError: if the encoder can't be written so.
    """
    from onnx import TensorProto

    from rnnlab.graphs.graph import Graph, value
    from rnnlab.graphs.network_parts import stacked

    graph, stack = Graph(), stacked(task.encoder, "onnx")
    built = layers(graph)
    outputs = graph.add("Transpose", "inputs", perm=[1, 0, 2])
    for directions in stack:
        outputs, _ = built.recurrent(directions, outputs, "lengths")
    said = built.linear(outputs, task.readout.weight, task.readout.bias)
    sure = graph.add("LogSoftmax", said, axis=2)
    graph.add("Transpose", sure, perm=[1, 0, 2], name="log_probabilities")
    size = stack[0][0].weights["weight_ih"].shape[1]
    given = [
        value("inputs", TensorProto.FLOAT, ["batch", "time", size]),
        value("lengths", TensorProto.INT64, ["batch"]),
    ]
    sizes: list[int | str] = ["batch", "time", task.spelling.blank + 1]
    return graph.model("recognizer", given, [value("log_probabilities", TensorProto.FLOAT, sizes)])

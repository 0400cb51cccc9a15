"""A sentiment classifier as an ONNX graph, exact under padding."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from onnx import TensorProto

from rnnlab.encoder.pooling import AttentionPooling
from rnnlab.graphs.graph import Graph, array_of, value
from rnnlab.graphs.layers import FloatLayers
from rnnlab.graphs.network_parts import moments_of, stacked
from rnnlab.tasks.sentiment.task import SentimentClassifier


def classifier_model(task: SentimentClassifier, layers: type[FloatLayers], form: str) -> Any:
    """Return the classifier as an ONNX model.

    Inputs: ``tokens (batch, time)`` int64, right-padded with any id; ``lengths (batch,)`` int64. Outputs:
    ``logits (batch,)`` for two classes, ``(batch, classes)`` for more; ``probabilities (batch, classes)``.

    Args:
        task: the trained network.
        layers: in which arithmetic.
        form: the export's name, for errors.

    Raises:
        ConfigError: if its encoder, cell or pooling is not one of rnnlab's.
    """
    graph = Graph()
    built = layers(graph)
    stack = stacked(task.encoder, form)
    read = "tokens"
    if task.reads_backward:
        read = graph.add("ReverseSequence", read, "lengths", time_axis=1, batch_axis=0)
    outputs = built.embedded(read, task.embedding.weight)
    for directions in stack:
        outputs, _ = built.recurrent(directions, outputs, "lengths")
    pooled = pooled_outputs(built, task, moments_of(task.pooling, form), outputs)
    scores = built.linear(pooled, task.classifier.weight, task.classifier.bias)
    if task.is_binary:
        graph.add("Squeeze", scores, graph.constant([1]), name="logits")
        positive = graph.add("Sigmoid", scores)
        negative = graph.add("Sub", graph.constant(1.0), positive)
        graph.add("Concat", negative, positive, axis=1, name="probabilities")
    else:
        graph.add("Identity", scores, name="logits")
        if task.exclusive:
            graph.add("Softmax", scores, axis=1, name="probabilities")
        else:
            graph.add("Sigmoid", scores, name="probabilities")
    classes = len(task.labels)
    inputs = [
        value("tokens", TensorProto.INT64, ["batch", "time"]),
        value("lengths", TensorProto.INT64, ["batch"]),
    ]
    results = [
        value("logits", TensorProto.FLOAT, ["batch"] if task.is_binary else ["batch", classes]),
        value("probabilities", TensorProto.FLOAT, ["batch", classes]),
    ]
    return graph.model("sentiment", inputs, results)


def pooled_outputs(
    built: FloatLayers, task: SentimentClassifier, moments: Sequence[str], outputs: str
) -> str:
    """Add the pooling of ``outputs (time, batch, size)``; return its vectors ``(batch, pooled_size)``."""
    graph = built.graph
    zero, one = graph.constant(np.array(0)), graph.constant(np.array(1))
    time = graph.add("Gather", graph.add("Shape", "tokens"), one)
    steps = graph.add("Unsqueeze", graph.add("Range", zero, time, one), graph.constant([1]))
    lengths = graph.add("Unsqueeze", "lengths", graph.constant([0]))
    inside = over_features(graph, graph.add("Less", steps, lengths))
    nothing, lowest, first_axis = graph.constant(0.0), graph.constant(-np.inf), graph.constant([0])
    kept = graph.add("Where", inside, outputs, nothing)

    def last() -> str:
        at_end = over_features(graph, graph.add("Equal", steps, graph.add("Sub", lengths, one)))
        ends = graph.add("ReduceSum", graph.add("Where", at_end, outputs, nothing), first_axis, keepdims=0)
        if not task.encoder.is_bidirectional:
            return ends
        forwards, _ = graph.add_several("Split", ends, names=2, axis=1)
        _, backwards = graph.add_several("Split", graph.add("Gather", outputs, zero), names=2, axis=1)
        return graph.add("Concat", forwards, backwards, axis=1)

    def mean() -> str:
        number = graph.add("Cast", "lengths", to=TensorProto.FLOAT)
        number = graph.add("Unsqueeze", number, graph.constant([1]))
        return graph.add("Div", graph.add("ReduceSum", kept, first_axis, keepdims=0), number)

    def highest() -> str:
        return graph.add("ReduceMax", graph.add("Where", inside, outputs, lowest), axes=[0], keepdims=0)

    def attention() -> str:
        weighing = cast(AttentionPooling, task.pooling)
        moved = built.linear(kept, weighing.projection.weight, weighing.projection.bias)
        context = graph.constant(array_of(weighing.context.weight).T)
        scores = graph.add("MatMul", graph.add("Tanh", moved), context)  # (time, batch, 1)
        shares = graph.add("Softmax", graph.add("Where", inside, scores, lowest), axis=0)
        return graph.add("ReduceSum", graph.add("Mul", shares, kept), first_axis, keepdims=0)

    made = {"last": last, "mean": mean, "max": highest, "attention": attention}
    return graph.add("Concat", *(made[name]() for name in moments), axis=1)


def over_features(graph: Graph, places: str) -> str:
    """Add an axis for the features to ``places (time, batch)``."""
    return graph.add("Unsqueeze", places, graph.constant([2]))

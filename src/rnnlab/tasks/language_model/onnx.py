"""A language model as an ONNX graph that takes and returns the state it carries."""

from typing import Any

import torch
from onnx import TensorProto
from torch import nn

from rnnlab.graphs.graph import Graph, value
from rnnlab.graphs.layers import FloatLayers
from rnnlab.graphs.network_parts import stacked
from rnnlab.tasks.language_model.decoders import AdaptiveDecoder, Decoder, FullDecoder
from rnnlab.tasks.language_model.task import LanguageModel


def language_model(task: LanguageModel, layers: type[FloatLayers], form: str) -> Any:
    """Return the language model as an ONNX model.

    Inputs: ``tokens (batch, time)`` int64 and, for each layer, ``hidden_0 (batch, units)`` (for an LSTM
    ``memory_0``, too): zeros before a text begins, later what came out. Outputs: ``log_probabilities (batch,
    time, vocabulary)`` of the token after each, and ``next_hidden_0``... after the last.

    Args:
        task: the trained network.
        layers: in which arithmetic.
        form: the export's name, for errors.

    Raises:
        ConfigError: if the encoder is not one of rnnlab's.
    """
    graph = Graph()
    built = layers(graph)
    stack = [directions[0] for directions in stacked(task.encoder, form)]
    outputs = built.embedded("tokens", task.embedding.weight)
    inputs = [value("tokens", TensorProto.INT64, ["batch", "time"])]
    vocabulary = task.embedding.weight.shape[0]
    results = [value("log_probabilities", TensorProto.FLOAT, ["batch", "time", vocabulary])]
    for number, direction in enumerate(stack):
        names = [f"{state}_{number}" for state in direction.cell.states]
        outputs, after = built.recurrent([direction], outputs, states=names)
        for name, final in zip(names, after, strict=True):
            graph.add("Identity", final, name=f"next_{name}")
            inputs.append(value(name, TensorProto.FLOAT, ["batch", direction.hidden_size]))
            results.append(value(f"next_{name}", TensorProto.FLOAT, ["batch", direction.hidden_size]))
    found = log_probabilities(built, task.decoder, outputs)
    graph.add("Transpose", found, perm=[1, 0, 2], name="log_probabilities")
    return graph.model("language_model", inputs, results)


def log_probabilities(built: FloatLayers, decoder: Decoder, hidden: str) -> str:
    """Add the log-probability of every id after ``hidden (time, batch, size)``."""
    if isinstance(decoder, FullDecoder):
        scores = built.linear(projected(built, decoder.project, hidden), decoder.weight, decoder.bias)
        return built.graph.add("LogSoftmax", scores, axis=2)
    if isinstance(decoder, AdaptiveDecoder):
        return adaptive_log_probabilities(built, decoder, hidden)
    raise TypeError(f"{type(decoder).__name__} is no decoder of rnnlab's")


def adaptive_log_probabilities(built: FloatLayers, decoder: AdaptiveDecoder, hidden: str) -> str:
    """Add the adaptive softmax: the shortlist's own, and each cluster's times its symbol's."""
    graph = built.graph
    weight = torch.cat([decoder.weight[: decoder.shortlist], decoder.cluster_weight])
    scores = built.linear(projected(built, decoder.project, hidden), weight, decoder.bias)
    head = graph.add("LogSoftmax", scores, axis=2)

    def columns(first: int, end: int) -> str:
        return graph.add("Slice", head, *(graph.constant([at]) for at in (first, end, 2)))

    parts = [columns(0, decoder.shortlist)]
    for cluster, (low, high) in enumerate(decoder.clusters):
        own = decoder.cluster_weights[cluster] if len(decoder.cluster_weights) else decoder.weight[low:high]
        inner = projected(built, decoder.cluster_projects[cluster], hidden)
        scores = built.linear(inner, own, decoder.cluster_biases[cluster])
        symbol = columns(decoder.shortlist + cluster, decoder.shortlist + cluster + 1)
        parts.append(graph.add("Add", graph.add("LogSoftmax", scores, axis=2), symbol))
    return graph.add("Concat", *parts, axis=2)


def projected(built: FloatLayers, project: nn.Module, hidden: str) -> str:
    """Add the linear map before a decoder's words, where it has one."""
    return built.linear(hidden, project.weight) if isinstance(project, nn.Linear) else hidden

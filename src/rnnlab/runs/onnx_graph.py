"""A sentiment classifier as an ONNX graph, node by node from its weights.

ONNX's recurrent operators take each sequence's length and are exact under padding, which a traced
``PackedSequence`` is not; so the graph is written, not traced. Batch and time are free.
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from rnnlab.errors import ConfigError
from rnnlab.models.encoder import RecurrentEncoder
from rnnlab.models.pooling import AttentionPooling
from rnnlab.models.sentiment import SentimentClassifier

OPSET, IR_VERSION = 17, 8  # old enough for runtimes of the last years
OPERATORS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
GATES = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""PyTorch's gates in ONNX's order: r z n to z r h, and i f g o to i o f c."""
MOMENTS = {
    "last": ("last",),
    "mean": ("mean",),
    "max": ("max",),
    "mean_max": ("mean", "max"),
    "last_mean_max": ("last", "mean", "max"),
    "attention": ("attention",),
}
"""What each pooling puts side by side."""

Array = npt.NDArray[Any]


def onnx_model(task: SentimentClassifier, pooling: str) -> Any:
    """Return the classifier as an ONNX model.

    Inputs: ``tokens (batch, time)`` int64, right-padded with any id; ``lengths (batch,)`` int64. Outputs:
    ``logits (batch,)`` for two classes, ``(batch, classes)`` for more; ``probabilities (batch, classes)``.

    Args:
        task: the trained network.
        pooling: the name of its pooling.

    Raises:
        ConfigError: if the encoder is not :class:`RecurrentEncoder`, whose operators ONNX has.
    """
    encoder = task.encoder
    if type(encoder) is not RecurrentEncoder:
        raise ConfigError(
            f"format=onnx: {type(encoder).__name__} has no ONNX operator; only RecurrentEncoder has. "
            "Use format=safetensors."
        )
    graph = Graph()
    vectors = graph.add("Gather", graph.constant("embedding", array(task.embedding.weight)), "tokens")
    outputs = graph.add("Transpose", vectors, perm=[1, 0, 2])  # (time, batch, size)
    counts = graph.add("Cast", "lengths", to=TensorProto.INT32)
    final = ""
    for layer in range(encoder.layers):
        outputs, final = recurrent_layer(graph, encoder, layer, outputs, counts)
    pooled = pooled_outputs(graph, task, pooling, outputs, final)
    weight = graph.constant("weight", array(task.classifier.weight))
    bias = graph.constant("bias", array(task.classifier.bias))
    scores = graph.add("Gemm", pooled, weight, bias, transB=1)
    if task.is_binary:
        graph.add("Squeeze", scores, graph.constant("last_axis", np.array([1])), name="logits")
        positive = graph.add("Sigmoid", scores)
        negative = graph.add("Sub", graph.constant("one", np.ones(1, np.float32)), positive)
        graph.add("Concat", negative, positive, axis=1, name="probabilities")
    else:
        graph.add("Identity", scores, name="logits")
        graph.add("Softmax", scores, axis=1, name="probabilities")
    return graph.model(len(task.labels))


def recurrent_layer(
    graph: "Graph", encoder: RecurrentEncoder, layer: int, inputs: str, counts: str
) -> tuple[str, str]:
    """Add a layer; return outputs ``(time, batch, size)`` and final state ``(directions, batch, hidden)``."""
    directions = encoder.directions
    parts = [
        [onnx_gates(encoder.cell, array(weight)) for weight in encoder.network.all_weights[at]]
        for at in range(layer * directions, (layer + 1) * directions)
    ]
    kernel = graph.constant(f"kernel{layer}", np.stack([part[0] for part in parts]))
    recurrent = graph.constant(f"recurrent{layer}", np.stack([part[1] for part in parts]))
    bias = graph.constant(f"biases{layer}", np.stack([np.concatenate(part[2:]) for part in parts]))
    options: dict[str, Any] = {
        "hidden_size": encoder.hidden_size,
        "direction": "bidirectional" if directions == 2 else "forward",
    }
    if encoder.cell == "gru":
        options["linear_before_reset"] = 1
    if encoder.cell == "rnn":
        options["activations"] = [encoder.nonlinearity.capitalize()] * directions
    outputs, final = graph.add_pair(
        OPERATORS[encoder.cell], inputs, kernel, recurrent, bias, counts, **options
    )  # (time, directions, batch, hidden)
    together = graph.add("Transpose", outputs, perm=[0, 2, 1, 3])
    return graph.add("Reshape", together, graph.constant(f"shape{layer}", np.array([0, 0, -1]))), final


def onnx_gates(cell: str, weight: Array) -> Array:
    """Return a weight ``(gates * hidden, ...)`` of PyTorch's with the gates in ONNX's order."""
    parts = np.split(weight, len(GATES[cell]))
    return np.concatenate([parts[gate] for gate in GATES[cell]])


def pooled_outputs(graph: "Graph", task: SentimentClassifier, pooling: str, outputs: str, final: str) -> str:
    """Add the pooling of ``outputs (time, batch, size)``; return its vectors ``(batch, pooled_size)``."""
    zero, one = graph.constant("zero", np.array(0)), graph.constant("step", np.array(1))
    time = graph.add("Gather", graph.add("Shape", "tokens"), one)
    steps = graph.add(
        "Unsqueeze", graph.add("Range", zero, time, one), graph.constant("axis1", np.array([1]))
    )
    inside = graph.add(
        "Less", steps, graph.add("Unsqueeze", "lengths", graph.constant("axis0", np.array([0])))
    )
    inside = graph.add("Unsqueeze", inside, graph.constant("axis2", np.array([2])))  # (time, batch, 1)
    nothing = graph.constant("nothing", np.array(0, np.float32))
    lowest = graph.constant("lowest", np.array(-np.inf, np.float32))
    kept = graph.add("Where", inside, outputs, nothing)
    axis = graph.constant("time_axis", np.array([0]))

    def moment(name: str) -> str:
        if name == "last":
            state = graph.add("Transpose", final, perm=[1, 0, 2])
            return graph.add("Reshape", state, graph.constant("flat", np.array([0, -1])))
        if name == "max":
            return graph.add("ReduceMax", graph.add("Where", inside, outputs, lowest), axes=[0], keepdims=0)
        if name == "mean":
            number = graph.add("Cast", "lengths", to=TensorProto.FLOAT)
            number = graph.add("Unsqueeze", number, graph.constant("size_axis", np.array([1])))
            return graph.add("Div", graph.add("ReduceSum", kept, axis, keepdims=0), number)
        weighing = cast(AttentionPooling, task.pooling)
        turn = graph.constant("turn", array(weighing.projection.weight).T)
        moved = graph.add("MatMul", outputs, turn)
        moved = graph.add("Add", moved, graph.constant("shift", array(weighing.projection.bias)))
        context = graph.constant("context", array(weighing.context.weight).T)
        scores = graph.add("MatMul", graph.add("Tanh", moved), context)  # (time, batch, 1)
        shares = graph.add("Softmax", graph.add("Where", inside, scores, lowest), axis=0)
        return graph.add("ReduceSum", graph.add("Mul", shares, kept), axis, keepdims=0)

    return graph.add("Concat", *map(moment, MOMENTS[pooling]), axis=1)


class Graph:
    """Nodes and constants as they are added; results are called by name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **options: Any) -> str:
        """Add a node with one result; return its name."""
        result = name or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [result], **options))
        return result

    def add_pair(self, operator: str, *inputs: str, **options: Any) -> tuple[str, str]:
        """Add a node with two results; return their names."""
        result = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [result, f"{result}_final"], **options))
        return result, f"{result}_final"

    def constant(self, name: str, values: Array) -> str:
        """Add a constant; return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def model(self, classes: int) -> Any:
        """Return the checked model."""
        value = helper.make_tensor_value_info
        logits: list[str | int | None] = ["batch"] if classes == 2 else ["batch", classes]
        graph = helper.make_graph(
            self.nodes,
            "sentiment",
            [
                value("tokens", TensorProto.INT64, ["batch", "time"]),
                value("lengths", TensorProto.INT64, ["batch"]),
            ],
            [
                value("logits", TensorProto.FLOAT, logits),
                value("probabilities", TensorProto.FLOAT, ["batch", classes]),
            ],
            self.constants,
        )
        imports = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="rnnlab")
        onnx.checker.check_model(model)
        return model


def array(parameter: Tensor) -> Array:
    """Return a parameter's values."""
    values: Array = parameter.detach().float().cpu().numpy()
    return values

"""The layers of a network as ONNX nodes, in float32."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from rnnlab.cells.cell import OnnxOperator
from rnnlab.encoder.recurrent import Direction
from rnnlab.graphs.graph import Array, Graph, array_of
from rnnlab.graphs.network_parts import needed


class FloatLayers:
    """How embedding, recurrent and linear layers become nodes; between them time comes first.

    ONNX's own operators, weights as they were trained.

    Args:
        graph: where the nodes go.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def embedded(self, tokens: str, table: Tensor) -> str:
        """Add the vectors ``(time, batch, size)`` of ids ``(batch, time)``; ``table (vocabulary, size)``."""
        vectors = self.graph.add("Gather", self.graph.constant(table), tokens)
        return self.graph.add("Transpose", vectors, perm=[1, 0, 2])

    def linear(self, inputs: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """Add ``inputs (..., in) weight^T + bias``, ``(..., out)``; ``weight (out, in)``."""
        product = self.product(inputs, weight)
        return product if bias is None else self.graph.add("Add", product, self.graph.constant(bias))

    def product(self, inputs: str, weight: Tensor) -> str:
        """Add ``inputs (..., in) weight^T``."""
        return self.graph.add("MatMul", inputs, self.turned(self.graph.constant(weight)))

    def turned(self, weight: str) -> str:
        """Transpose a weight as a node, which a runtime folds: a tied one then lies in the file once."""
        return self.graph.add("Transpose", weight, perm=[1, 0])

    def recurrent(
        self, directions: Sequence[Direction], inputs: str, lengths: str = "", states: Sequence[str] = ()
    ) -> tuple[str, list[str]]:
        """Add one recurrent layer.

        Args:
            directions: forwards alone, or forwards and backwards.
            inputs: ``(time, batch, size)``, right-padded.
            lengths: ``(batch,)`` int64; empty where every sequence fills the time axis.
            states: before the first step, ``(batch, hidden)`` each; none for zeros. One direction only.

        Returns:
            Outputs ``(time, batch, directions * hidden)``, in the padding whatever it may be, and the states
            after the last step, ``(batch, hidden)`` each (meaningful without ``lengths`` only).

        Raises:
            ConfigError: if the cell can't be written so.
        """
        graph, first = self.graph, directions[0]
        operator = needed(first.cell.onnx_operator(len(directions)), first, "onnx")
        parts = [onnx_weights(direction, operator) for direction in directions]
        weights = [graph.constant(np.stack([part[at] for part in parts])) for at in range(3)]
        counts = graph.add("Cast", lengths, to=6) if lengths else ""  # int32
        axis = graph.constant([0]) if states else ""
        before = [graph.add("Unsqueeze", state, axis) for state in states]
        outputs, *finals = graph.add_several(
            operator.name,
            *without_trailing([inputs, *weights, counts, *before]),
            names=1 + len(first.cell.states),
            hidden_size=first.hidden_size,
            direction="bidirectional" if len(directions) == 2 else "forward",
            **operator.options,
        )  # (time, directions, batch, hidden); (directions, batch, hidden) each
        together = graph.add("Transpose", outputs, perm=[0, 2, 1, 3])
        flat = graph.add("Reshape", together, graph.constant([0, 0, -1]))
        return flat, [graph.add("Squeeze", final, axis) for final in finals] if states else []


def onnx_weights(direction: Direction, operator: OnnxOperator) -> tuple[Array, Array, Array]:
    """Return kernel, recurrent kernel and both biases in a row, the gates in the operator's order."""
    kernel, recurrent, *biases = (in_order(part, operator.gates) for part in direction.weights.values())
    return kernel, recurrent, np.concatenate(biases)


def in_order(weight: Tensor, gates: Sequence[int]) -> Array:
    """Return a weight ``(gates * hidden, ...)`` with its gates in another order."""
    parts = np.split(array_of(weight), len(gates))
    return np.concatenate([parts[gate] for gate in gates])


def without_trailing(inputs: Sequence[str]) -> list[str]:
    """Return the inputs without empty ones at the end: those are optional.

    >>> without_trailing(["x", "", "y", "", ""])
    ['x', '', 'y']
    """
    kept = list(inputs)
    while not kept[-1]:
        kept.pop()
    return kept

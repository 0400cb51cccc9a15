"""The layers of a network as ONNX nodes that multiply in 8-bit integers.

Weights are kept as int8 with one scale a row, ``w = scale * q``, q from -127 to 127. Activations are
quantised as they come ("dynamically"), with one scale a token: a text's answer does not depend on its
batch-mates. They take 7 bits, because x86 processors without VNNI add two products in 16 bits, which 8 bits
overflow (2 * 255 * 127 > 2^15). Products are summed exactly in int32. Everything else stays float32.

ONNX has no recurrent operators for integers that every cell could use, so each is a ``Scan`` of its
equations.
"""

from collections.abc import Sequence

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor

from rnnlab.encoder.recurrent import Direction
from rnnlab.graphs.graph import Array, Graph, array_of, value
from rnnlab.graphs.layers import FloatLayers
from rnnlab.graphs.network_parts import needed

WEIGHT_TOP, ACTIVATION_TOP, ACTIVATION_ZERO = 127, 63.0, 64
SMALLEST = 1e-12  # so that a row of zeros divides by something


class Int8Layers(FloatLayers):
    """Weights in int8, products in integers."""

    def embedded(self, tokens: str, table: Tensor) -> str:
        """See :class:`FloatLayers`."""
        whole, scales = quantised(table)
        rows = self.graph.add("Gather", self.graph.constant(whole), tokens)
        scale = self.graph.add("Gather", self.graph.constant(scales[:, None]), tokens)
        vectors = self.graph.add("Mul", self.graph.add("Cast", rows, to=TensorProto.FLOAT), scale)
        return self.graph.add("Transpose", vectors, perm=[1, 0, 2])

    def product(self, inputs: str, weight: Tensor) -> str:
        """See :class:`FloatLayers`."""
        return product_with(self.graph, self.kept(weight), inputs)

    def recurrent(
        self, directions: Sequence[Direction], inputs: str, lengths: str = "", states: Sequence[str] = ()
    ) -> tuple[str, list[str]]:
        """See :class:`FloatLayers`."""
        found: list[str] = []
        finals: list[str] = []
        for number, direction in enumerate(directions):
            read = self.backwards(inputs, lengths) if number else inputs
            outputs, finals = self.scanned(direction, read, states)
            found.append(self.backwards(outputs, lengths) if number else outputs)
        together = self.graph.add("Concat", *found, axis=2) if len(found) > 1 else found[0]
        return together, finals if states else []

    def backwards(self, sequences: str, lengths: str) -> str:
        """Turn each sequence round within its own length."""
        return self.graph.add("ReverseSequence", sequences, lengths, time_axis=0, batch_axis=1)

    def scanned(self, direction: Direction, inputs: str, states: Sequence[str]) -> tuple[str, list[str]]:
        """Walk through ``inputs`` from the first step to the last.

        Raises:
            ConfigError: if the cell can't be written so.
        """
        cell, weights = direction.cell, direction.weights
        recurrent_bias = needed(weights.get("bias_hh"), direction, "int8")
        kept_apart = torch.tensor([block in cell.bias_apart for block in cell.blocks])
        apart = torch.where(kept_apart.repeat_interleave(direction.hidden_size), recurrent_bias, 0.0)
        together = weights["bias_ih"] + recurrent_bias - apart
        projected = self.linear(inputs, weights["weight_ih"], together)
        before = list(states) or [self.zeros(inputs, direction)] * len(cell.states)
        recurrent = self.kept(weights["weight_hh"])
        body = Graph(parent=self.graph)
        names = [body.name("before") for _ in before]
        step = body.name("projected")
        hidden = product_with(body, recurrent, names[0])
        after = needed(cell.onnx_step(body, step, hidden, names, apart), direction, "int8")
        output = body.add("Identity", after[0])
        free: list[int | str] = ["batch", "units"]
        loop = body.as_body(
            [value(name, TensorProto.FLOAT, free) for name in (*names, step)],
            [value(name, TensorProto.FLOAT, free) for name in (*after, output)],
        )
        *finals, outputs = self.graph.add_several(
            "Scan", *before, projected, names=len(before) + 1, body=loop, num_scan_inputs=1
        )
        return outputs, finals

    def zeros(self, inputs: str, direction: Direction) -> str:
        """Return zeros ``(batch, hidden)``."""
        batch = self.graph.add(
            "Slice", self.graph.add("Shape", inputs), *map(self.graph.constant, ([1], [2]))
        )
        units = self.graph.constant([direction.hidden_size])
        return self.graph.add("ConstantOfShape", self.graph.add("Concat", batch, units, axis=0))

    def kept(self, weight: Tensor) -> tuple[str, str]:
        """Return the names of a weight's integers, turned to ``(in, out)``, and of its scales ``(out,)``."""
        whole, scales = quantised(weight)
        return self.turned(self.graph.constant(whole)), self.graph.constant(scales)


def quantised(weight: Tensor) -> tuple[Array, Array]:
    """Return a weight ``(rows, columns)`` as int8 and each row's scale ``(rows,)``."""
    values = array_of(weight)
    scales = np.maximum(np.abs(values).max(axis=1) / WEIGHT_TOP, SMALLEST).astype(np.float32)
    return np.round(values / scales[:, None]).astype(np.int8), scales


def product_with(graph: Graph, weight: tuple[str, str], inputs: str) -> str:
    """Add the product of ``inputs (..., in)`` with an int8 weight, as float32 ``(..., out)``."""
    largest = graph.add("ReduceMax", graph.add("Abs", inputs), axes=[-1], keepdims=1)
    above = graph.add("Max", largest, graph.constant(SMALLEST))
    scale = graph.add("Mul", above, graph.constant(1 / ACTIVATION_TOP))
    zero = graph.constant(np.array(ACTIVATION_ZERO, np.uint8))
    parts = graph.add("QuantizeLinear", graph.add("Div", inputs, scale), graph.constant(1.0), zero)
    whole, scales = weight
    total = graph.add("MatMulInteger", parts, whole, zero)
    product = graph.add("Mul", graph.add("Cast", total, to=TensorProto.FLOAT), scale)
    return graph.add("Mul", product, scales)

"""A forecaster as an ONNX graph: from a window on the scale of training to forecasts on that scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from onnx import TensorProto

from rnnlab.errors import ConfigError
from rnnlab.graphs.graph import Graph, value
from rnnlab.graphs.layers import FloatLayers
from rnnlab.graphs.network_parts import stacked
from rnnlab.tasks.forecasting.decoders import Direct, Segments
from rnnlab.tasks.forecasting.losses import LEAST, MEDIAN, Gaussian, NegativeBinomial, Quantiles, StudentT
from rnnlab.tasks.forecasting.network import EPSILON
from rnnlab.tasks.forecasting.task import Forecaster

FORM = "onnx"


class ForecastGraph:
    """Writes a forecaster's graph.

    Inputs: ``inputs (batch, look_back, columns)`` and, where something is known ahead of time, ``ahead
    (batch, horizon, ahead)``. Outputs: ``forecast (batch, horizon, targets)`` and ``quantiles (...,
    levels)``, the latter not of Student's distribution and of counts, whose quantiles ONNX can't compute.

    Args:
        task: the trained network.
        layers: in which arithmetic.

    Raises:
        ConfigError: if the encoder is not one of rnnlab's.
    """

    def __init__(self, task: Forecaster, layers: type[FloatLayers]) -> None:
        self.graph = Graph()
        self.built = layers(self.graph)
        self.task, self.network = task, task.network
        self.shape = task.network.decoder.shape
        self.stack = stacked(task.network.encoder, FORM)

    def model(self) -> Any:
        """Return the whole model.

        Raises:
            ConfigError: if the decoder can't be written so.
        """
        graph, shape = self.graph, self.shape
        targets = self.columns("inputs", 0, shape.targets)
        shift, scale = self.window(targets)
        scaled = graph.add("Div", graph.add("Sub", targets, shift), scale)
        rest = [self.columns("inputs", shape.targets, shape.columns)] if shape.covariates else []
        seen = graph.add("Concat", scaled, *rest, axis=2)
        raw = self.decoded(seen)
        inputs = [value("inputs", TensorProto.FLOAT, ["batch", shape.look_back, shape.columns])]
        if shape.ahead:
            inputs.append(value("ahead", TensorProto.FLOAT, ["batch", shape.horizon, shape.ahead]))
        results = [value("forecast", TensorProto.FLOAT, ["batch", shape.horizon, shape.targets])]
        moved = graph.add("Add", graph.add("Mul", self.point(raw), scale), shift)
        graph.add("Identity", moved, name="forecast")
        if self.says_quantiles:
            quantiles = [
                graph.add("Add", graph.add("Mul", part, scale), shift) for part in self.quantiles(raw)
            ]
            self.adjusted(quantiles)
            sizes = [shape.horizon, shape.targets, len(self.task.levels)]
            results.append(value("quantiles", TensorProto.FLOAT, ["batch", *sizes]))
        return graph.model("forecaster", inputs, results)

    @property
    def says_quantiles(self) -> bool:
        """Whether the graph has quantiles."""
        hard = isinstance(self.network.loss, StudentT | NegativeBinomial)
        return self.task.says_quantiles and not hard

    def columns(self, tensor: str, first: int, end: int, axis: int = 2) -> str:
        """Add a slice of an axis."""
        return self.graph.add("Slice", tensor, *(self.graph.constant([at]) for at in (first, end, axis)))

    def window(self, targets: str) -> tuple[str, str]:
        """Add shift and scale of each window by itself, ``(batch, 1, targets)``."""
        graph, scaling = self.graph, self.network.window_scaling
        one = graph.constant(np.ones((1, 1, self.shape.targets), np.float32))
        if scaling.kind == "none":
            return graph.constant(np.zeros((1, 1, self.shape.targets), np.float32)), one
        if scaling.kind == "last":
            return self.columns(targets, self.shape.look_back - 1, self.shape.look_back, axis=1), one
        weights = self.known(targets)
        steps = graph.constant([1])
        count = graph.add("Max", graph.add("ReduceSum", weights, steps, keepdims=1), graph.constant(1.0))
        total = graph.add("ReduceSum", graph.add("Mul", targets, weights), steps, keepdims=1)
        mean = graph.add("Div", total, count)
        off = graph.add("Sub", targets, mean)
        squares = graph.add("Mul", graph.add("Mul", off, off), weights)
        variance = graph.add("Div", graph.add("ReduceSum", squares, steps, keepdims=1), count)
        scale = graph.add("Sqrt", graph.add("Add", variance, graph.constant(EPSILON)))
        if scaling.kind == "standard":
            return mean, scale
        scale = graph.add("Div", scale, graph.constant(scaling.log_gain.exp()))
        return graph.add("Sub", mean, graph.add("Mul", graph.constant(scaling.offset), scale)), scale

    def known(self, targets: str) -> str:
        """Add 1 where a target was known, else 0."""
        shape = self.shape
        if not shape.marks:
            ones = self.graph.constant(np.ones((1, 1, 1), np.float32))
            return self.graph.add("Expand", ones, self.graph.add("Shape", targets))
        first = shape.targets + shape.past + shape.ahead
        marks = self.columns("inputs", first, first + shape.targets)
        was = self.graph.add("Greater", marks, self.graph.constant(0.5))
        return self.graph.add("Cast", was, to=TensorProto.FLOAT)

    def decoded(self, seen: str) -> str:
        """Add the head's numbers ``(batch, horizon, targets, size)``.

        Raises:
            ConfigError: if the decoder can't be written so.
        """
        decoder = self.network.decoder
        if isinstance(decoder, Direct):
            return self.direct(decoder, seen)
        is_plain = all(len(directions) == 1 for directions in self.stack)
        if isinstance(decoder, Segments) and is_plain:
            return self.segments(decoder, seen)
        raise ConfigError(
            "format=onnx: only task.decoder=direct, and segments with model.bidirectional=false, can be "
            "written so. Use format=safetensors."
        )

    def direct(self, decoder: Direct, seen: str) -> str:
        """Add one readout of all steps."""
        graph, shape = self.graph, self.shape
        outputs = graph.add("Transpose", seen, perm=[1, 0, 2])
        for directions in self.stack:
            outputs, _ = self.built.recurrent(directions, outputs)
        units = sum(direction.hidden_size for direction in self.stack[-1])
        half = units // len(self.stack[-1])
        end = graph.add("Gather", outputs, graph.constant(np.array(shape.look_back - 1)))
        read = self.columns(end, 0, half, axis=1)
        if half < units:
            begin = graph.add("Gather", outputs, graph.constant(np.array(0)))
            read = graph.add("Concat", read, self.columns(begin, half, units, axis=1), axis=1)
        if shape.ahead:
            flat = graph.add("Reshape", "ahead", graph.constant([0, -1]))
            read = graph.add("Concat", read, flat, axis=1)
        said = self.built.linear(read, decoder.readout.weight, decoder.readout.bias)
        return graph.add("Reshape", said, graph.constant([-1, shape.horizon, shape.targets, shape.size]))

    def segments(self, decoder: Segments, seen: str) -> str:
        """Add SegRNN's decoder: from the state after the look-back a step for each segment ahead."""
        graph, shape, later = self.graph, self.shape, decoder.ahead_segments
        embedded = self.embedded(decoder, seen)  # (segments, batch * targets, embedding)
        width = graph.add("Slice", graph.add("Shape", embedded), graph.constant([1]), graph.constant([2]))
        queries = self.queries(decoder, seen)
        asked = graph.add("Reshape", queries, graph.constant([1, -1, decoder.embedding_size]))
        outputs = embedded
        for (direction,) in self.stack:
            size = graph.add("Concat", width, graph.constant([direction.hidden_size]), axis=0)
            zeros = graph.add("Expand", graph.constant(0.0), size)
            outputs, states = self.built.recurrent(
                [direction], outputs, states=[zeros] * len(direction.cell.states)
            )
            spread = [self.spread(state, later, direction.hidden_size) for state in states]
            asked, _ = self.built.recurrent([direction], asked, states=spread)
        said = self.built.linear(asked, decoder.readout.weight, decoder.readout.bias)
        steps = later * decoder.segment
        whole = graph.add("Reshape", said, graph.constant([-1, shape.targets, steps, shape.size]))
        cut = self.columns(whole, 0, shape.horizon, axis=2)
        return graph.add("Transpose", cut, perm=[0, 2, 1, 3])

    def spread(self, state: str, times: int, size: int) -> str:
        """Add a state ``(rows, size)`` with each row repeated next to itself."""
        graph = self.graph
        between = graph.add("Unsqueeze", state, graph.constant([1]))
        repeated = graph.add("Expand", between, graph.constant([1, times, 1]))
        return graph.add("Reshape", repeated, graph.constant([-1, size]))

    def embedded(self, decoder: Segments, seen: str) -> str:
        """Add the look-back's segments, ``(segments, batch * targets, embedding)``."""
        graph, shape = self.graph, self.shape
        count = shape.look_back // decoder.segment
        values = graph.add("Transpose", self.columns(seen, 0, shape.targets), perm=[0, 2, 1])
        cut = graph.add("Reshape", values, graph.constant([-1, shape.targets, count, decoder.segment]))
        found = self.built.linear(cut, decoder.embed.weight, decoder.embed.bias)
        if shape.covariates:
            width = decoder.segment * shape.covariates
            beside = self.columns(seen, shape.targets, shape.columns)
            beside = graph.add("Reshape", beside, graph.constant([-1, 1, count, width]))
            found = graph.add("Add", found, self.built.linear(beside, decoder.embed_covariates.weight))
        size = graph.constant([-1, count, decoder.embedding_size])
        flat = graph.add("Reshape", graph.add("Relu", found), size)
        return graph.add("Transpose", flat, perm=[1, 0, 2])

    def queries(self, decoder: Segments, seen: str) -> str:
        """Add what asks for each segment of the horizon, ``(batch, targets, segments, embedding)``."""
        graph, shape, later = self.graph, self.shape, decoder.ahead_segments
        asked = graph.constant(decoder.queries(torch.zeros(1, shape.horizon, shape.ahead)))
        if not shape.ahead:
            batch = graph.add("Slice", graph.add("Shape", seen), graph.constant([0]), graph.constant([1]))
            size = graph.add("Concat", batch, graph.constant([1, 1, 1]), axis=0)
            return graph.add("Expand", asked, size)
        missing = later * decoder.segment - shape.horizon
        pads = graph.constant([0, 0, 0, 0, missing, 0])
        padded = graph.add("Pad", "ahead", pads)
        known = graph.add("Reshape", padded, graph.constant([-1, 1, later, decoder.segment * shape.ahead]))
        return graph.add("Add", asked, self.built.linear(known, decoder.embed_ahead.weight))

    def part(self, raw: str, number: int) -> str:
        """Add one of the head's numbers ``(batch, horizon, targets)``."""
        return self.graph.add("Gather", raw, self.graph.constant(np.array(number)), axis=3)

    def positive(self, raw: str, number: int) -> str:
        """Add the softplus of one of the head's numbers."""
        return self.graph.add("Softplus", self.part(raw, number))

    def point(self, raw: str) -> str:
        """Add the one number that the forecast says."""
        loss = self.network.loss
        if isinstance(loss, NegativeBinomial):
            return self.graph.add("Add", self.positive(raw, 0), self.graph.constant(LEAST))
        return self.part(raw, loss.middle if isinstance(loss, Quantiles) else 0)

    def quantiles(self, raw: str) -> list[str]:
        """Add the quantiles as the network says them, ascending."""
        graph, loss, levels = self.graph, self.network.loss, self.task.levels
        if isinstance(loss, Gaussian):
            deviation = graph.add("Add", self.positive(raw, 1), graph.constant(LEAST))
            places = torch.special.ndtri(torch.tensor(levels)).tolist()
            off = (graph.add("Mul", deviation, graph.constant(float(place))) for place in places)
            return [graph.add("Add", self.part(raw, 0), distance) for distance in off]
        if not isinstance(loss, Quantiles):
            return [self.point(raw)] * len(levels)
        found = [self.point(raw)]
        for number in range(loss.middle + 1, len(levels)):
            found.append(graph.add("Add", found[-1], self.positive(raw, number)))
        for number in reversed(range(loss.middle)):
            found.insert(0, graph.add("Sub", found[0], self.positive(raw, number)))
        return found

    def adjusted(self, quantiles: Sequence[str]) -> None:
        """Add the output: quantiles as validation had them moved, which do not cross."""
        graph, middle = self.graph, self.task.levels.index(MEDIAN)
        shifts = self.task.shifts
        moved = list(quantiles)
        if self.task.conformal:
            moved = [
                graph.add("Add", part, graph.constant(shifts[..., number]))
                for number, part in enumerate(quantiles)
            ]
            for number in range(middle + 1, len(moved)):
                moved[number] = graph.add("Max", moved[number - 1], moved[number])
            for number in reversed(range(middle)):
                moved[number] = graph.add("Min", moved[number + 1], moved[number])
        axis = graph.constant([3])
        graph.add("Concat", *(graph.add("Unsqueeze", part, axis) for part in moved), axis=3, name="quantiles")

"""A forecaster as ONNX, and how far the file's forecasts are from PyTorch's."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnlab.tasks.exports import (
    TOLERANCE,
    Exports,
    OnnxAnswers,
    by_pytorch,
    checked,
    largest_of,
    layers_named,
)
from rnnlab.tasks.forecasting.answers import TrainedForecaster
from rnnlab.tasks.forecasting.task import Forecaster

WINDOWS = (1, 7, 32)
"""Windows of random numbers that are compared at a time."""


class ForecastExports(Exports):
    """A forecaster as ONNX, beside the weights alone."""

    model: TrainedForecaster

    def write(self, format: str, file: Path) -> float:
        """See :class:`Exports`."""
        if format != "onnx":
            return super().write(format, file)
        layers = layers_named(format)
        from rnnlab.tasks.forecasting.onnx import ForecastGraph

        file.write_bytes(ForecastGraph(self.model.task, layers).model().SerializeToString())
        return checked(self.difference(OnnxAnswers(file)), TOLERANCE)

    def meanings(self) -> dict[str, Any]:
        """Return names and scales of what goes in and comes out."""
        return {
            "features": self.model.features.to_dict(),
            "inputs": list(self.model.features.read),
            "ahead": list(self.model.features.ahead),
            "quantiles": list(self.model.levels),
        }

    def difference(self, exported: OnnxAnswers) -> float:
        """Return the largest difference of forecasts and quantiles, on the scale of training."""
        task: Forecaster = by_pytorch(self.model.task)
        shape = task.network.decoder.shape
        chance = torch.Generator().manual_seed(1)
        differences = []
        for count in WINDOWS:
            inputs = torch.randn(count, shape.look_back, shape.columns, generator=chance)
            if shape.marks:
                told = shape.targets + shape.past
                inputs[:, :, -told:] = (inputs[:, :, -told:] > -1).float()
            ahead = torch.randn(count, shape.horizon, shape.ahead, generator=chance)
            feed = {"inputs": inputs, "ahead": ahead} if shape.ahead else {"inputs": inputs}
            expected = answers_of(task, inputs, ahead)
            for ours, theirs in zip(expected, exported.run(feed), strict=False):
                differences.append(float((ours - theirs).abs().max()))
        return largest_of(differences)


def answers_of(task: Forecaster, inputs: Tensor, ahead: Tensor) -> list[Tensor]:
    """Return forecasts and, where there are any, quantiles."""
    units = torch.ones(len(inputs), 3, task.shifts.shape[1], dtype=torch.float64)
    with torch.inference_mode():
        said = task.said(task(inputs, ahead), units, adjusted=True)
    return [said.point] if said.quantiles is None else [said.point, said.quantiles]

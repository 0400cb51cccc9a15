"""A weighted mean kept on the device, cheap enough for every training step."""

import torch
from torch import Tensor
from torchmetrics import Metric


class RunningMean(Metric):
    """Sum and weight of what was added; the value is their ratio, over all processes.

    An update is two additions in place and nothing else. ``torchmetrics.MeanMetric`` casts, broadcasts and
    checks for NaN on each update, which takes longer than a small network's optimizer step.
    """

    total: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("weight", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, total: Tensor, weight: Tensor) -> None:
        """Add a batch: the sum of its values, and how many there were (both of shape ``()``)."""
        self.total.add_(total)  # not +=, which assigns: nn.Module takes long for that
        self.weight.add_(weight)

    def compute(self) -> Tensor:
        """Return the mean, NaN where nothing was added."""
        return (self.total / self.weight).float()

    def value_and_reset(self) -> Tensor:
        """Return the mean and start anew."""
        value: Tensor = self.compute()
        self.reset()
        return value

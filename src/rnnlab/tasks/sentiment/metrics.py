"""The area under the ROC curve, averaged over the classes that have one."""

import warnings

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAUROC
from torchmetrics.utilities import dim_zero_cat


class MeanAUROC(MulticlassAUROC):
    """Mean over the classes of the area under each one's curve against all others.

    Classes that do not occur, or that all documents are of, have none and are left out; torchmetrics would
    count them as 0.

    Args:
        classes: how many there are.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes, average="none")

    def compute(self) -> Tensor:  # type: ignore[override]  # as MulticlassAUROC's own
        """Return the mean, NaN where no class has an area."""
        counts = torch.bincount(dim_zero_cat(self.target), minlength=self.num_classes)
        there = (counts > 0) & (counts < counts.sum())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No (positive|negative) samples in targets")
            areas: Tensor = super().compute()
        return areas[there].mean()

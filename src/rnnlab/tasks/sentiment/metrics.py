"""Metrics of classes, which have none where the data lacks a class: torchmetrics would count that as 0."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryF1Score,
    BinaryStatScores,
    MulticlassAccuracy,
    MulticlassAUROC,
    MulticlassF1Score,
    MulticlassStatScores,
)
from torchmetrics.utilities import dim_zero_cat

PER_CLASS = "_per_class"


def evaluation_metrics(classes: int) -> MetricCollection:
    """Return accuracy, F1 and AUROC: plain for two classes; macro-averaged, and F1 by class, for more.

    What is of a class that no document is of is NaN, and counts in no average.
    """
    if classes == 2:
        return MetricCollection({"accuracy": BinaryAccuracy(), "f1": F1(), "auroc": AUROC()})
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(classes, average="micro"),
            "f1": MeanF1(classes),
            "auroc": MeanAUROC(classes),
            f"f1{PER_CLASS}": F1PerClass(classes),
            f"accuracy{PER_CLASS}": AccuracyPerClass(classes),
        },
        compute_groups=False,
    )


def by_name(values: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """Return what a collection computed with a name for each figure: those of classes as ``f1/<class>``."""
    found = {name: value for name, value in values.items() if not name.endswith(PER_CLASS)}
    for name in [name for name in values if name.endswith(PER_CLASS)]:
        for label, value in zip(labels, values[name], strict=True):
            found[f"{name.removesuffix(PER_CLASS)}/{label}"] = value
    return found


def is_there(counted: BinaryStatScores | MulticlassStatScores, values: Tensor) -> Tensor:
    """Return the values of classes, NaN where a class has no documents among those that were counted."""
    documents = cast(Tensor, counted.tp) + cast(Tensor, counted.fn)
    return torch.where(documents > 0, values, torch.nan)


def mean_there(values: Tensor) -> Tensor:
    """Return the mean of the values ``(classes,)`` that are numbers, NaN where none is."""
    there = values[~values.isnan()]
    return (there / len(there)).sum() if len(there) else values.new_tensor(torch.nan)


class F1(BinaryF1Score):
    """F1 of the second class, NaN where no document is of it."""

    def compute(self) -> Tensor:
        """Return it."""
        return is_there(self, super().compute())


class F1PerClass(MulticlassF1Score):
    """F1 of each class ``(classes,)``, NaN where no document is of it."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes, average=None)

    def compute(self) -> Tensor:
        """Return them."""
        return is_there(self, super().compute())


class MeanF1(F1PerClass):
    """Mean F1 of the classes that occur."""

    def compute(self) -> Tensor:
        """Return it."""
        return mean_there(super().compute())


class AccuracyPerClass(MulticlassAccuracy):
    """Share of each class's documents that were told right ``(classes,)``, NaN where there are none."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes, average=None)

    def compute(self) -> Tensor:
        """Return them."""
        return is_there(self, super().compute())


class AUROC(BinaryAUROC):
    """Area under the ROC curve of two classes, NaN where only one of them occurs."""

    def compute(self) -> Tensor:  # type: ignore[override]  # as BinaryAUROC's own
        """Return it."""
        positive = dim_zero_cat(self.target)
        if bool((positive == 1).all()) or bool((positive == 0).all()):
            return torch.tensor(torch.nan, device=positive.device)
        area: Tensor = super().compute()
        return area


class MeanAUROC(MulticlassAUROC):
    """Mean over the classes of the area under each one's curve against all others.

    Classes that do not occur, or that all documents are of, have none and are left out.

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

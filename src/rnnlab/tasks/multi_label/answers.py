"""A trained multi-label classifier: texts in, the classes of each and their probabilities out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rnnlab.tasks.answers import Answered, Prediction
from rnnlab.tasks.multi_label.metrics import label_figures
from rnnlab.tasks.multi_label.task import MultiLabelClassifier
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from rnnlab.tasks.sentiment.exports import ClassifierExports

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun

BETWEEN = "|"
"""What stands between the classes of a text where the data does not say."""


class TrainedMultiLabel(TrainedClassifier):
    """A model that tells any number of classes: those whose probability is above its threshold."""

    task: MultiLabelClassifier

    def __init__(self, run: "OpenedRun", device: str = "auto") -> None:
        super().__init__(run, device)
        self.threshold = float(self.task.threshold)
        self.separator: str = run.config["data"]["corpus"].get("label_separator") or BETWEEN

    def join_simple(self, folder: Path, weight: float | None = None) -> None:
        """Refuse: what is mixed are classes that exclude each other."""
        raise self.refusal("answer together with a simple method", "sentiment")

    def prediction(self, shares: npt.NDArray[np.float32], tokens: int, read: int) -> Prediction:
        """Return the classes above the threshold; ``label`` is their names with the separator between."""
        several = tuple(
            label for label, share in zip(self.labels, shares, strict=True) if share > self.threshold
        )
        return Prediction(self.separator.join(several), shares, tokens, read, several)

    @property
    def exports(self) -> "ClassifierExports":
        """A classifier's, the threshold beside them."""
        return MultiLabelExports(self)

    def answered(self, data: Any) -> Answered:
        """Return what the model says of the documents of a prepared split."""
        (documents,) = data.encoded.splits.values()
        truth = documents.labels.astype(np.bool_)

        def scores(shares: npt.NDArray[Any]) -> dict[str, float]:
            found = label_figures(shares, truth, self.threshold, self.labels)
            told = np.clip(np.where(truth, shares, 1 - shares.astype(np.float64)), 1e-300, None)
            return {**found, "loss": float(-np.log(told).mean())}

        return Answered(self.labels, documents.labels, self.probabilities(documents), scores)


class MultiLabelExports(ClassifierExports):
    """A classifier's exports; what it tells of a text needs the threshold, too."""

    def meanings(self) -> dict[str, Any]:
        """Return the threshold above which a class is told."""
        return {"threshold": float(self.model.task.get_buffer("threshold"))}

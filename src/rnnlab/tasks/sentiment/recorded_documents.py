"""What a classifier says of each document while a split is scored.

Its curves are ROC, precision-recall and reliability, drawn and as points.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt

from rnnlab.atomic import write_text
from rnnlab.data.batch import Batch
from rnnlab.data.documents import DocumentLoader
from rnnlab.errors import ConfigError
from rnnlab.figures.documents import ScoredDocuments
from rnnlab.figures.drawing import save
from rnnlab.figures.ranking import (
    Curve,
    calibration,
    precision_recall,
    precision_recall_figure,
    reliability_figure,
    roc,
    roc_figure,
    thinned,
)
from rnnlab.tasks.figures import Recorder, gathered

FIGURES = {
    "roc": roc_figure,
    "precision_recall": precision_recall_figure,
    "reliability": reliability_figure,
}


def write_curves(scored: Mapping[str, ScoredDocuments], folder: Path) -> None:
    """Write each figure as PNG and SVG, a line for each run, and the points as ``curves.json``.

    Args:
        scored: what each run said of the documents.
        folder: where to; it is made where it is missing.

    Raises:
        ConfigError: if the runs do not tell the same classes, and so share no figure.
        RnnlabError: if the disk is full or the folder can't be written.
    """
    if len({found.classes for found in scored.values()}) > 1:
        raise ConfigError(
            "The runs tell different classes: their curves share no figure. Evaluate them apart."
        )
    for name, figure in FIGURES.items():
        save(figure(scored), folder, name)
    points = {run: points_of(found) for run, found in scored.items()}
    write_text(folder / "curves.json", json.dumps(points, indent=1) + "\n")


def points_of(scored: ScoredDocuments) -> dict[str, Any]:
    """Return a run's curves as plain data.

    ``roc`` and ``precision_recall`` hold a curve for each class against the rest, of two classes for the
    second alone; an area that is not defined, where a class does not occur, is None.
    """
    known = scored.known
    numbers = [1] if len(known.classes) == 2 else range(len(known.classes))
    answers = {known.classes[at]: (known.probabilities[:, at], known.labels == at) for at in numbers}
    reliability = calibration(known.confidences, known.right)
    return {
        "documents": len(known.labels),
        "without_a_number": scored.unknown,
        "roc": {
            label: plain(roc(*answer), "false_positive_rate", "true_positive_rate")
            for label, answer in answers.items()
        },
        "precision_recall": {
            label: plain(precision_recall(*answer), "recall", "precision")
            for label, answer in answers.items()
        },
        "reliability": {
            "expected_calibration_error": number(reliability.error),
            "confidence": rounded(reliability.confidences),
            "accuracy": rounded(reliability.accuracies),
            "share_of_documents": rounded(reliability.shares),
        },
    }


def plain(curve: Curve, across: str, up: str) -> dict[str, Any]:
    """Return a curve's points, as many as can be told apart, and its area."""
    points = thinned(curve)
    return {"area": number(points.area), across: rounded(points.across), up: rounded(points.up)}


def rounded(values: npt.NDArray[np.float64]) -> list[float]:
    """Return numbers in as many digits as a curve needs."""
    return [round(value, 6) for value in values.tolist()]


def number(value: float) -> float | None:
    """Return a number, None where it is none: JSON has no NaN."""
    return None if math.isnan(value) else value


Rows = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Documents' numbers, probabilities, right classes."""


class RecordedDocuments(Recorder):
    """Keeps the probabilities that the steps of a validation or a test return.

    Args:
        lengths: tokens of each document of the split ``(documents,)``.
        classes: class names in id order.

    Attributes:
        scored: the documents of all processes, in their order; there when the split has been scored.
    """

    def __init__(self, lengths: npt.NDArray[np.int64], classes: tuple[str, ...]) -> None:
        self.lengths = lengths
        self.classes = classes
        self.rows: list[Rows] = []
        self.plan: list[npt.NDArray[np.int64]] = []
        self.scored: ScoredDocuments

    def begin(self, loader: Any) -> None:
        """Forget what was kept, and see which documents will come in which batch."""
        assert isinstance(loader, DocumentLoader)
        self.rows = []
        self.plan = [batch.documents for batch in loader.plan(loader.epoch)]

    def keep(self, outputs: Any, batch: Batch, number: int) -> None:
        """Keep what was said of the documents that count."""
        valid = batch.valid.cpu().numpy()
        self.rows.append(
            (
                self.plan[number][valid],
                outputs.float().cpu().numpy()[valid],
                batch.targets.cpu().numpy()[valid],
            )
        )

    def write(self, scored: Mapping[str, Any], folder: Path) -> None:
        """Write ROC, precision-recall and reliability; see :class:`Recorder`."""
        write_curves(scored, folder)

    def end(self, trainer: lightning.Trainer) -> None:
        """Join what all processes have kept."""
        rows = [row for part in gathered(self.rows, trainer) for row in part]
        documents, probabilities, labels = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        order = np.argsort(documents, kind="stable")
        self.scored = ScoredDocuments(
            documents=documents[order],
            probabilities=probabilities[order],
            labels=labels[order],
            lengths=self.lengths[documents[order]],
            classes=self.classes,
        )

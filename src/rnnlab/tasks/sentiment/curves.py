"""The curves of a classifier's evaluation: ROC, precision-recall and reliability, drawn and as points."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.atomic import write_text
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

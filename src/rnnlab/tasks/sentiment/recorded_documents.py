"""What a classifier says of each document while a split is scored."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt

from rnnlab.data.batch import Batch
from rnnlab.data.documents import DocumentLoader
from rnnlab.figures.documents import ScoredDocuments
from rnnlab.tasks.figures import Recorder, gathered
from rnnlab.tasks.sentiment.curves import write_curves

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

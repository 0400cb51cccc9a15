"""What a classifier says of each document while a split is scored."""

from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from rnnlab.data.documents import DocumentBatch
from rnnlab.data.document_loader import DocumentLoader
from rnnlab.figures.scored_documents import ScoredDocuments
from rnnlab.tasks.all_processes import gathered

Rows = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Documents' numbers, probabilities, right classes."""


class RecordedDocuments(Callback):
    """Keeps the probabilities that the steps of a validation or a test return; asks for none itself.

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
        batches = loader.batch_sampler
        self.rows = []
        self.plan = [batch.documents for batch in batches.batches(batches.epoch)]

    def keep(self, probabilities: Tensor, batch: DocumentBatch, number: int) -> None:
        """Keep what was said of the documents that count."""
        counted = batch.counted.cpu().numpy()
        self.rows.append(
            (
                self.plan[number][counted],
                probabilities.float().cpu().numpy()[counted],
                batch.labels.cpu().numpy()[counted],
            )
        )

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

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin."""
        self.begin(trainer.val_dataloaders)

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin."""
        self.begin(trainer.test_dataloaders)

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's probabilities."""
        self.keep(outputs, batch, batch_idx)

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's probabilities."""
        self.keep(outputs, batch, batch_idx)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End."""
        self.end(trainer)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End."""
        self.end(trainer)

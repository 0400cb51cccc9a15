"""How well a language model predicts each token while a split is scored."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import lightning
import numpy as np
import numpy.typing as npt
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from rnnlab.data.streams import StreamBatch
from rnnlab.figures.scored_tokens import ScoredTokens
from rnnlab.tasks.all_processes import gathered


class PredictedText(NamedTuple):
    """The columns of a split, side by side.

    Attributes:
        targets: the ids that were to be predicted ``(columns, steps)``.
        nats: their negative log-probabilities ``(columns, steps)``.
        counted: False where a column has ended ``(columns, steps)``.
    """

    targets: npt.NDArray[np.int32]
    nats: npt.NDArray[np.float32]
    counted: npt.NDArray[np.bool_]

    def sums(self, frequencies: npt.NDArray[np.int64]) -> ScoredTokens:
        """Return counts and nats of each id.

        Args:
            frequencies: how often each occurs in the training text ``(vocabulary,)``.
        """
        targets, nats = self.targets[self.counted], self.nats[self.counted]
        size = len(frequencies)
        return ScoredTokens(
            frequencies=frequencies,
            counts=np.bincount(targets, minlength=size),
            nats=np.bincount(targets, weights=nats, minlength=size).astype(np.float64),
        )


class RecordedTokens(Callback):
    """Keeps the losses that the steps of a validation or a test return; asks for none itself.

    Attributes:
        text: the columns of all processes; there when the split has been scored.
    """

    def __init__(self) -> None:
        self.windows: list[PredictedText] = []
        self.text: PredictedText

    def begin(self) -> None:
        """Forget what was kept."""
        self.windows = []

    def keep(self, losses: Tensor, batch: StreamBatch) -> None:
        """Keep a window."""
        shape = tuple(batch.targets.shape)
        counted = np.ones(shape, np.bool_) if batch.counted is None else batch.counted.cpu().numpy()
        targets = batch.targets.cpu().numpy().astype(np.int32)
        self.windows.append(PredictedText(targets, losses.float().cpu().numpy(), counted))

    def end(self, trainer: lightning.Trainer) -> None:
        """Join the windows, and the columns of all processes."""
        self.text = stacked(gathered(joined(self.windows), trainer))

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin."""
        self.begin()

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin."""
        self.begin()

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the window's losses."""
        self.keep(outputs, batch)

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the window's losses."""
        self.keep(outputs, batch)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End."""
        self.end(trainer)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End."""
        self.end(trainer)


def joined(windows: Sequence[PredictedText]) -> PredictedText:
    """Return windows of the same columns as one."""
    return PredictedText(*(np.concatenate(parts, axis=1) for parts in zip(*windows, strict=True)))


def stacked(texts: Sequence[PredictedText]) -> PredictedText:
    """Return the columns of several texts side by side; shorter ones end before the others."""
    steps = max(text.targets.shape[1] for text in texts)
    padded = [[np.pad(part, ((0, 0), (0, steps - part.shape[1]))) for part in text] for text in texts]
    return PredictedText(*(np.concatenate(parts) for parts in zip(*padded, strict=True)))

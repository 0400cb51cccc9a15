"""What a finished run shows of its model besides numbers; each task that shows something has its own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import lightning
import numpy as np
import numpy.typing as npt
import torch.distributed
from lightning.pytorch.callbacks import Callback
from rich.table import Table
from torch import nn
from torch.utils.tensorboard import SummaryWriter

SPLITS = ("validation", "test")

Part = TypeVar("Part")


class Recorder(Callback, ABC):
    """Keeps what the steps of a validation or a test return; asks for nothing itself.

    Attributes:
        scored: what it has kept, once the split is scored.
    """

    scored: Any

    def tables(self) -> Sequence[Table]:
        """Return what an evaluation shows of it on the terminal, below the figures."""
        return ()

    def write(self, scored: Mapping[str, Any], folder: Path) -> None:
        """Write what recorders of this kind have kept, as figures and as their points.

        Args:
            scored: of each run, by its name.
            folder: where to; it is made where it is missing.

        Raises:
            ConfigError: if the runs share no figure.
            RnnlabError: if the disk is full or the folder can't be written.
        """

    @abstractmethod
    def begin(self, loader: Any) -> None:
        """Forget what was kept."""

    @abstractmethod
    def keep(self, outputs: Any, batch: Any, number: int) -> None:
        """Keep what a step returned for the loader's batch ``number``, from 0."""

    @abstractmethod
    def end(self, trainer: lightning.Trainer) -> None:
        """Join what all processes have kept."""

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
        """Keep the step's answers."""
        self.keep(outputs, batch, batch_idx)

    on_test_batch_end = on_validation_batch_end

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End."""
        self.end(trainer)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End."""
        self.end(trainer)


class TaskFigures(ABC):
    """Watches the final scoring of a run, and then shows what it saw.

    Attributes:
        recorders: for each split that is scored, the callback that watches it.
    """

    recorders: Mapping[str, Callback]

    @abstractmethod
    def publish(self, run: Path, writer: SummaryWriter | None, step: int) -> None:
        """Write figures, texts and word vectors into the run's ``figures``, and to TensorBoard where it is
        on.

        Args:
            run: the run folder.
            writer: TensorBoard's; None where there is none.
            step: of the training.

        Raises:
            RnnlabError: if the disk is full or the folder can't be written.
        """


def gathered(part: Part, trainer: lightning.Trainer) -> list[Part]:
    """Return every process's ``part``, in the order of their ranks; all of them must ask."""
    if trainer.world_size == 1:
        return [part]
    parts: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(parts, part)
    return parts


def word_vectors(embedding: nn.Module, words: int) -> npt.NDArray[np.float32]:
    """Return the first ``words`` rows of an embedding, those of the most frequent words."""
    weight = embedding.get_parameter("weight")
    found: npt.NDArray[np.float32] = weight[:words].detach().float().cpu().numpy()
    return found

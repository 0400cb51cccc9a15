"""rnnlab's own path: an epoch in the Lightning Trainer that training assembles, callbacks and all."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from rnnlab import interruption
from rnnlab.benchmarks.child_process import PeakMemory, unseen_terminal
from rnnlab.benchmarks.reviews import Batches
from rnnlab.benchmarks.turns import Pass, Repeated, Turn
from rnnlab.interruption import Interrupted
from rnnlab.tasks.task import Task
from rnnlab.training.clock import TrainingClock
from rnnlab.training.fit import assemble_trainer
from rnnlab.training.run_folder import RunFolder

NO_FIGURES = "Stopped: a benchmark has no figures before its end."


class ValidationClock(Callback):
    """Seconds and tokens of the validation in the Trainer: its batches and metrics, no checkpoint."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.tokens: Any = 0
        self.began = 0.0

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start."""
        self.tokens, self.began = 0, time.perf_counter()

    def on_validation_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count the batch's tokens."""
        self.tokens = self.tokens + cast(Task, pl_module).tokens_in(batch)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop; the callback that keeps checkpoints comes after this one."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self.seconds = time.perf_counter() - self.began


class SameBatches(lightning.LightningDataModule):
    """The batches of a contest, to train and to validate on."""

    def __init__(self, batches: Batches | Repeated[Any]) -> None:
        super().__init__()
        self.batches = batches

    def train_dataloader(self) -> Batches | Repeated[Any]:
        """Return the batches."""
        return self.batches

    def val_dataloader(self) -> Batches | Repeated[Any]:
        """Return the same batches."""
        return self.batches


class TrainerPath:
    """Trains a task through the whole Trainer.

    Args:
        config: a training's configuration.
        task: what to train.
        folder: where checkpoints and curves go.
        device: where the Trainer will put the task.
    """

    def __init__(self, config: Mapping[str, Any], task: Task, folder: Path, device: torch.device) -> None:
        self.config, self.task, self.folder, self.device = config, task, RunFolder(folder), device

    def turn(self, batches: Batches | Repeated[Any]) -> Turn:
        """Train one epoch on the batches and validate on the same ones."""
        return self.fit(1, SameBatches(batches))

    def fit(self, epochs: int, data: lightning.LightningDataModule, checkpoint: Path | None = None) -> Turn:
        """Train, and time the last epoch.

        Args:
            epochs: how many there are to be in all.
            data: what to train and to validate on.
            checkpoint: where to go on from; None starts anew, with the weights as they are.
        """
        clock, validation = TrainingClock(), ValidationClock()
        config = {**self.config, "trainer": {**self.config["trainer"], "max_epochs": epochs}}
        with interruption.listening(), PeakMemory(self.device) as peak, unseen_terminal():
            trainer = assemble_trainer(config, self.task, self.folder, clock)
            trainer.callbacks.insert(0, validation)  # type: ignore[attr-defined]
            try:
                trainer.fit(self.task, datamodule=data, ckpt_path=checkpoint)
            except (Interrupted, SIGTERMException):
                raise Interrupted(NO_FIGURES) from None
            # Asked for during validation, after which no step comes that could end.
            if interruption.asked_by() is not None:
                raise Interrupted(NO_FIGURES)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        return Turn(
            training=Pass(clock.epoch_seconds[-1], clock.epoch_tokens[-1]),
            inference=Pass(validation.seconds, int(validation.tokens)),
            loss=metrics["train/loss"],
            accuracy=metrics.get("train/accuracy"),
            peak_memory=peak.bytes,
        )

"""A training that is asked to stop: where it is, what is kept and how to go on."""

import signal
from contextlib import AbstractContextManager
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rnnlab import interruption
from rnnlab.folders import command
from rnnlab.interruption import Interrupted
from rnnlab.terminal import shown
from rnnlab.training.run_folder import RunFolder


class StopCleanly(Callback):
    """Ends a run that is asked to stop, from its beginning to its end.

    Once a step is done the training ends at the next place where its state is complete
    (:class:`rnnlab.training.keeping.KeepLast`), which keeps a checkpoint there. Before, and when the test
    split is scored, it ends at the next place that asks.

    Args:
        folder: the run.

    Attributes:
        doing: what the run is at, for the message.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.doing = "before the training began"
        self.is_training = False
        self.trainer: lightning.Trainer | None = None

    def listening(self) -> AbstractContextManager[None]:
        """Return a context in which signals are noted."""
        return interruption.listening(self.ended_here, self.pass_on)

    def pass_on(self, number: int, again: bool) -> None:
        """Take the run's other processes along when it ends at once."""
        if again:
            self.end_others(signal.SIGKILL)

    def ended_here(self) -> Interrupted:
        """Return what ends the run at a place that the other processes don't know of; they end, too."""
        found = self.stopped()
        self.end_others(found.by)
        return found

    def end_others(self, number: int) -> None:
        """End the run's other processes."""
        launcher = self.trainer.strategy.launcher if self.trainer is not None else None
        if launcher is not None:
            launcher.kill(number)

    def stopped(self) -> Interrupted:
        """Return what ends the run: the place, what is kept and how to go on."""
        by = signal.Signals(interruption.asked_by() or signal.SIGINT)
        where = self.place_in_training() if self.is_training else self.doing
        resume = command("train", f"resume={shown(self.folder.path)}")
        how = resume if self.folder.config_file.is_file() else "the same command"
        return Interrupted(f"Stopped by {by.name} {where}; {self.kept()}\nGo on with: {how}", by)

    def kept(self) -> str:
        """Return what is kept of the run."""
        if self.folder.last.is_file():
            return f"{shown(self.folder.last)} is kept."
        return "there is no checkpoint yet."

    def place_in_training(self) -> str:
        """Return how far the training is."""
        trainer = self.trainer
        if trainer is None:
            return "in training"
        part = "in the validation " if trainer.validating else ""
        return f"{part}after step {trainer.global_step} of epoch {trainer.current_epoch + 1}"

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Know the training."""
        self.trainer = trainer

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take over the signals again: Lightning has put a handler of its own there, which it takes away."""
        self.doing = "before the first step was done"
        interruption.listen_again()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """End before the first step, where there is nothing to lose."""
        if not self.is_training:
            interruption.check()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """From now on there is something to lose."""
        self.is_training = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """What comes now can be done again."""
        self.is_training = False
        self.doing = "after the training, before the test split was scored"

"""Ctrl-C and SIGTERM: stop where nothing is lost, say what is kept and how to go on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rnnlab.command_line import Interrupted
from rnnlab.folders import command
from rnnlab.terminal import console, shown
from rnnlab.training.run_folder import RunFolder

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopCleanly(Callback):
    """Takes the two signals from the beginning of a run to its end.

    While there is nothing to lose (data are read, the first step is not done, the test split is scored) the
    first one ends the run at once. Once a step is done, it may arrive in the middle of the next, when half
    of the weights are new: then it only sets a flag, and the training ends at the next place where its state
    is complete (:class:`rnnlab.training.keeping.KeepLast`), which keeps a checkpoint there. A second signal
    ends it at once, wherever it is.

    Args:
        folder: the run.

    Attributes:
        asked_by: the name of the signal that came, ``None`` as long as none did.
        doing: what the run is at, for the message.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.asked_by: str | None = None
        self.doing = "before the training began"
        self.waits = False
        self.before: dict[int, Any] = {}
        self.trainer: lightning.Trainer | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over the signals in this context; outside the main thread, where none arrives, do nothing."""
        self.listen()
        try:
            yield
        finally:
            self.give_back()

    def listen(self) -> None:
        """Take over the signals; what was there before is kept until ``give_back``."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.signal(number, self.ask)
                self.before.setdefault(number, handler)

    def give_back(self) -> None:
        """Give the signals back to whom they belonged."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take a signal.

        Raises:
            Interrupted: if nothing can be lost, or a signal came before.
        """
        waits = self.waits and self.asked_by is None
        self.asked_by = signal.Signals(number).name
        if not waits:
            launcher = self.trainer.strategy.launcher if self.trainer is not None else None
            if launcher is not None:
                launcher.kill(number)
            raise self.stopped()
        console.print(
            f"{self.asked_by}: stopping where nothing is lost (again to stop at once).", style="yellow"
        )

    def stopped(self) -> Interrupted:
        """Return what ends the run: the place, what is kept and how to go on."""
        name = self.asked_by or "SIGINT"
        where = self.place_in_training() if self.waits else self.doing
        if self.folder.last.is_file():
            kept = f"{shown(self.folder.last)} is kept"
        else:
            kept = "there is no checkpoint yet"
        how = f"{command('train')} resume={shown(self.folder.path)}"
        if not self.folder.config_file.is_file():
            how = "the same command"
        return Interrupted(f"Stopped by {name} {where}; {kept}.\nGo on with: {how}", signal.Signals[name])

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
        self.listen()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """From now on there is something to lose."""
        self.waits = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """What comes now can be done again."""
        self.waits = False
        self.doing = "after the training, before the test split was scored"

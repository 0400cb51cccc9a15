"""Ctrl-C and SIGTERM: finish the step, keep a checkpoint, say how to go on."""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rnnlab.command_line import Interrupted
from rnnlab.terminal import console, shown


class StopCleanly(Callback):
    """Ends the training at the next step's end when the user or a cluster asks for it.

    A signal may arrive in the middle of an optimizer step, when half of the weights are new. So the first
    one only sets a flag; the checkpoint is written between two steps. A second Ctrl-C ends at once.

    Args:
        checkpoint: where the last state is kept.
        how_to_go_on: the command that goes on from there.
    """

    def __init__(self, checkpoint: Path, how_to_go_on: str) -> None:
        self.checkpoint = checkpoint
        self.how_to_go_on = how_to_go_on
        self.asked_by: str | None = None
        self.before: dict[int, Any] = {}

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take the signal: stop at the end of this step, or at once if asked again."""
        if self.asked_by is not None:
            raise KeyboardInterrupt
        self.asked_by = signal.Signals(number).name
        console.print(f"{self.asked_by}: stopping after this step (again to stop at once).", style="yellow")

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Take over the two signals while fitting."""
        if stage == "fit":
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self.ask)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Give the signals back: Lightning tears no callback down after an exception."""
        self.teardown(trainer, pl_module, "fit")

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Between two steps: save and stop, if asked to."""
        if self.asked_by is None:
            return
        trainer.save_checkpoint(self.checkpoint)
        raise Interrupted(
            f"Stopped by {self.asked_by} after step {trainer.global_step} of epoch "
            f"{trainer.current_epoch + 1}; kept {shown(self.checkpoint)}.\nGo on with: {self.how_to_go_on}"
        )

"""What ends a training before its last epoch: a signal, or validations that get no better."""

import logging
import math
import signal
from contextlib import AbstractContextManager
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch import Tensor

from rnnlab import interruption
from rnnlab.folders import command
from rnnlab.interruption import Interrupted
from rnnlab.tasks.choosing import LOSS, check_monitor
from rnnlab.terminal import shown
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)


class StopCleanly(Callback):
    """Ends a run that is asked to stop, from its beginning to its end.

    Once a step is done the training ends at the next place where its state is complete
    (:class:`rnnlab.training.keeping.KeepLast`), which keeps a checkpoint there. Before, and when the test
    split is scored, it ends at the next place that asks.

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

    def on_train_batch_start(self, *args: Any, **options: Any) -> None:
        """End before the first step, where there is nothing to lose."""
        if not self.is_training:
            interruption.check()

    def on_train_batch_end(self, *args: Any, **options: Any) -> None:
        """From now on there is something to lose."""
        self.is_training = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """What comes now can be done again."""
        self.is_training = False
        self.doing = "after the training, before the test split was scored"


class RememberedEarlyStopping(EarlyStopping):
    """Lightning's, with what it lacks.

    A validation that is level with the best one and has a lower loss is better, also where the metric has
    been no number yet: patience counts anew. A run that goes on from a checkpoint where it had been stopped
    is not begun again for one more epoch; and a ``patience`` that was changed since counts, instead of the
    one in the checkpoint.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.loss = self.best_loss = math.inf
        self.waited_before = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the best score with its loss, and how long ago it was."""
        return {**super().state_dict(), "best_loss": self.best_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best score and how long ago it was."""
        super().load_state_dict({**state_dict, "patience": self.patience})
        # Of an earlier rnnlab there is none, and no tie is better.
        self.best_loss = float(state_dict.get("best_loss", -math.inf))
        # A damaged checkpoint shows now, when it can be told, and not at the first validation.
        float(self.best_score), int(self.wait_count)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Look at the metric.

        Raises:
            ConfigError: if there is no such metric.
        """
        if not self._should_skip_check(trainer):
            inherited = self.monitor == getattr(pl_module, "monitor", None)
            section = "checkpoint" if inherited else "early_stopping"
            check_monitor(self.monitor, trainer.callback_metrics, f"callbacks.{section}.monitor")
        super().on_validation_end(trainer, pl_module)

    def _run_early_stopping_check(self, trainer: lightning.Trainer) -> None:
        self.loss = float(trainer.callback_metrics.get(LOSS, math.nan))
        super()._run_early_stopping_check(trainer)

    def _evaluate_stopping_criteria(self, current: Tensor) -> tuple[bool, str | None]:
        best, seen = float(self.best_score), float(current)
        is_level = seen == best or (math.isnan(seen) and math.isinf(best))
        if is_level and self.loss < self.best_loss:
            self.best_loss, self.wait_count = self.loss, 0
            return False, f"{self.monitor} is as good as before, with a lower loss."
        if math.isnan(seen) and math.isfinite(self.loss):  # of a class that the split lacks
            self.wait_count += 1
            return self.wait_count >= self.patience, f"{self.monitor} is no number, and the loss no lower."
        stops, why = super()._evaluate_stopping_criteria(current)
        if self.wait_count == 0:
            self.best_loss = self.loss
        return stops, why

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop at once where the training had been stopped."""
        self.waited_before = self.wait_count
        if self.wait_count >= max(1, self.patience):  # none is patient before the first validation
            trainer.should_stop = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say why the training ended before its last epoch, after that epoch's line."""
        if trainer.should_stop and self.wait_count >= max(1, self.patience):
            log.info(
                "Early stopping %s the training: no better %s in %d validations "
                "(callbacks.early_stopping.patience).",
                "had ended" if self.wait_count == self.waited_before else "ended",
                self.monitor,
                self.wait_count,
            )

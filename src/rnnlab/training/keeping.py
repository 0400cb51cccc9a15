"""When checkpoints are written: the best one, and the last one to go on from.

Three places in a training at which a checkpoint holds all there is, so that it goes on exactly there.

``MID_EPOCH``: after an optimizer step that neither a validation nor the end of the epoch follows.
``BEFORE_VALIDATION``: after the steps before a validation; what it has counted so far is done again. One in
the middle of a step, whose gradients are still being accumulated, is no such place.
``BETWEEN_EPOCHS``: when an epoch's validation, schedules and early stopping are done, and the next has not
begun.

Lightning writes down how often each of its loops was about to begin, had begun, and was done; from that it
finds the place again. It does so for the first. For the other two the counts are put to what they are
there, as Lightning itself would still have to count on when a callback gets to save.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any, Literal, get_args

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn

from rnnlab import interruption
from rnnlab.errors import ConfigError
from rnnlab.tasks.choosing import SPLIT, Choice, Score
from rnnlab.training.clock import TrainingClock
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.stopping import StopCleanly

log = logging.getLogger(__name__)

Place = Literal["mid-epoch", "before validation", "between epochs"]
MID_EPOCH, BEFORE_VALIDATION, BETWEEN_EPOCHS = get_args(Place)

NOT_BEGUN = {"ready": 0, "started": 0, "processed": 0, "completed": 0}
IN_FIRST_BATCH = {"ready": 1, "started": 1, "processed": 0, "completed": 0}


def mark_place(loops: Mapping[str, Any], place: Place) -> None:
    """Put the counts in a checkpoint's ``loops`` to what they are at ``place``."""
    fit = loops["fit_loop"]
    validation = fit["epoch_loop.val_loop.batch_progress"]
    if place == BEFORE_VALIDATION:
        validation.update(total=dict(IN_FIRST_BATCH), current=dict(IN_FIRST_BATCH), is_last_batch=False)
    if place == BETWEEN_EPOCHS:
        for counts in fit["epoch_progress"].values():
            counts["ready"] = counts["started"]
        fit["epoch_loop.batch_progress"].update(current=dict(NOT_BEGUN), is_last_batch=False)
        validation.update(total=dict(NOT_BEGUN), current=dict(NOT_BEGUN), is_last_batch=False)


def is_mid_epoch(trainer: lightning.Trainer, batch_index: int) -> bool:
    """Return whether the end of the epoch's batch ``batch_index``, from 0, is such a place."""
    if batch_index + 1 >= trainer.num_training_batches or trainer.should_stop:
        return False
    is_step = (batch_index + 1) % trainer.accumulate_grad_batches == 0
    return is_step and not validation_may_follow(trainer, batch_index)


def validation_may_follow(trainer: lightning.Trainer, batch_index: int) -> bool:
    """Return whether the epoch's batch ``batch_index`` is one after which ``val_check_interval`` may fall."""
    every = trainer.val_check_batch
    if every is None or every == float("inf"):
        return False
    counts_through = trainer.check_val_every_n_epoch is None
    batches = (trainer.fit_loop.total_batch_idx if counts_through else batch_index) + 1
    return batches % every == 0


def is_accumulating(trainer: lightning.Trainer) -> bool:
    """Return whether a validation falls into an optimizer step whose batches are not all done.

    Their gradients are in no checkpoint: such a validation is no place to go on from.
    """
    return trainer.fit_loop.epoch_loop._should_accumulate()


TOGETHER = 20
"""Steps from one agreement of several processes to the next; to agree, all devices wait for one another."""


def is_training(trainer: lightning.Trainer) -> bool:
    """Return whether a validation is one of the training's."""
    return trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking


def is_between_agreements(trainer: lightning.Trainer, place: Place) -> bool:
    """Return whether several processes go on without asking one another what they want."""
    return trainer.world_size > 1 and place == MID_EPOCH and trainer.global_step % TOGETHER > 0


def numbers_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics that a checkpoint holds.

    Raises:
        TypeError, ValueError: if one is no number, as of a damaged file.
    """
    return {name: float(value) for name, value in metrics.items()}


class KeepBest(Checkpoint):
    """Keeps ``best.ckpt``: the weights of the validation with the best of the metric that chooses.

    Of validations that are level in it, the one with the lowest loss. Where the checkpoint lies is not part
    of the state, so that a run folder can be moved and goes on.

    Attributes:
        metrics: the validation metrics of the best checkpoint; empty before the first.
    """

    def __init__(self, folder: RunFolder, choice: Choice) -> None:
        self.folder, self.choice = folder, choice
        self.score: Score | None = None
        self.metrics: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the best score so far, the metrics with it, and which of them chose."""
        return {
            "score": self.score and self.score.value,
            "metrics": dict(self.metrics),
            "monitor": self.choice.monitor,
            "mode": self.choice.mode,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best score so far, of the metric that chooses now."""
        self.metrics = numbers_of(state_dict["metrics"])
        if self.metrics:
            self.score = self.choice.score({f"{SPLIT}{name}": value for name, value in self.metrics.items()})

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep the checkpoint, if it is better than all before."""
        if not is_training(trainer):
            return
        score = self.choice.score(trainer.callback_metrics)
        if not self.choice.is_better(score, self.score):
            return
        self.score = score
        self.metrics = {
            name.removeprefix(SPLIT): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(SPLIT)
        }
        trainer.save_checkpoint(self.folder.best, weights_only=True)


def check_choice(content: Mapping[str, Any], choice: Choice, trainer: Mapping[str, Any]) -> None:
    """Check that a run which goes on from a checkpoint by another choice has something left to choose from.

    And warn of it.

    Raises:
        ConfigError: if its training is at its end: the best checkpoint would stay that of the other choice.
    """
    kept = content.get("callbacks", {}).get(KeepBest.__qualname__, {})
    before = kept.get("monitor", choice.monitor), kept.get("mode", choice.mode)  # an earlier rnnlab kept none
    if before == (choice.monitor, choice.mode):
        return
    chosen = f"best.ckpt was chosen by the {before[1]} of {before[0]}"
    epochs, steps = trainer["max_epochs"], trainer.get("max_steps", -1)
    if (epochs is not None and 0 <= epochs <= content["epoch"]) or 0 <= steps <= content["global_step"]:
        raise ConfigError(
            f"callbacks.checkpoint: {chosen}, and no epoch is left from which {choice.monitor} could choose. "
            "Leave monitor and mode as they were, or raise trainer.max_epochs or trainer.max_steps, too."
        )
    log.warning("callbacks.checkpoint: %s. Only epochs from now on are chosen by %s.", chosen, choice.monitor)


class KeepLast(Checkpoint):
    """Keeps ``last.ckpt``, the state to go on from, and ends the training there when it was asked to stop.

    It is written at the first place where the state is complete once it is due, and always at the end.

    Args:
        folder: the run.
        stop: tells whether Ctrl-C or SIGTERM asked the training to stop.
        clock: what counts the run's seconds.
        best: what keeps the best checkpoint, for the note of how far the run is.
        every_n_epochs: finished epochs from one checkpoint to the next; ``None`` for no such rule.
        every_n_steps: optimizer steps from one to the next; ``None`` for no such rule.
        every_minutes: minutes from one to the next; ``None`` for no such rule.
    """

    def __init__(
        self,
        folder: RunFolder,
        stop: StopCleanly,
        clock: TrainingClock,
        best: KeepBest,
        *,
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        every_minutes: float | None = None,
    ) -> None:
        self.folder, self.stop, self.clock, self.best = folder, stop, clock, best
        self.every_n_epochs, self.every_n_steps = every_n_epochs, every_n_steps
        self.every_minutes = every_minutes
        self.step, self.place = 0, BETWEEN_EPOCHS
        self.written = time.monotonic()
        self.metrics: dict[str, float] = {}
        self.saving = False

    def state_dict(self) -> dict[str, Any]:
        """Return the place of this checkpoint, and the latest metrics, which schedules may look at."""
        return {"step": self.step, "place": self.place, "metrics": dict(self.metrics)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the place."""
        self.step, self.place = state_dict["step"], state_dict["place"]
        self.metrics = numbers_of(state_dict["metrics"])

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the place into the state of Lightning's loops."""
        if self.saving:
            mark_place(checkpoint["loops"], self.place)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start counting minutes; a run that goes on knows its latest metrics again."""
        self.written = time.monotonic()
        for name, value in self.metrics.items():
            trainer.callback_metrics[name] = torch.tensor(value, device=pl_module.device)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Stop or save in the middle of an epoch."""
        if is_mid_epoch(trainer, batch_idx):
            self.arrive(trainer, MID_EPOCH)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop or save before a validation."""
        if is_training(trainer) and not is_accumulating(trainer):
            self.arrive(trainer, BEFORE_VALIDATION)

    def on_validation_batch_end(self, trainer: lightning.Trainer, *args: Any, **options: Any) -> None:
        """Stop in the middle of a validation; it will be done again."""
        if is_training(trainer) and not is_accumulating(trainer):
            self.stop_if_asked(trainer, BEFORE_VALIDATION)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Let schedules that look at a metric take this step, too.

        Lightning leaves it out in the epoch that a run goes on in, as it keeps no metrics; this does.
        """
        # Not the property: under max_steps it sets True, whatever it is given, and no epoch follows.
        trainer.fit_loop._restarting = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop or save when the epoch before is done in every respect."""
        self.arrive(trainer, BETWEEN_EPOCHS)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the end of the training."""
        self.save(trainer, BETWEEN_EPOCHS)
        self.stop_if_asked(trainer, BETWEEN_EPOCHS)

    def arrive(self, trainer: lightning.Trainer, place: Place) -> None:
        """Stop here if it was asked for, save if it is due."""
        self.stop_if_asked(trainer, place)
        if self.is_due(trainer, place):
            self.save(trainer, place)

    def stop_if_asked(self, trainer: lightning.Trainer, place: Place) -> None:
        """Save and end the training here, if any of its processes was asked to.

        Raises:
            Interrupted: if so.
        """
        asked = interruption.asked_by() is not None
        if is_between_agreements(trainer, place):
            return
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked:
            self.save(trainer, place)
            raise self.stop.stopped()

    def is_due(self, trainer: lightning.Trainer, place: Place) -> bool:
        """Return whether a rule asks for a checkpoint here."""
        steps = trainer.global_step - self.step
        epochs = trainer.current_epoch if place == BETWEEN_EPOCHS else 0
        if self.every_n_epochs and epochs and epochs % self.every_n_epochs == 0:
            return True
        if self.every_n_steps and steps >= self.every_n_steps:
            return True
        if not self.every_minutes or not steps or is_between_agreements(trainer, place):
            return False
        is_late = time.monotonic() - self.written >= 60 * self.every_minutes
        return bool(trainer.strategy.broadcast(is_late)) if trainer.world_size > 1 else is_late

    def save(self, trainer: lightning.Trainer, place: Place) -> None:
        """Write the checkpoint and how far it is, unless it is there already."""
        if (self.step, self.place) == (trainer.global_step, place):
            return
        self.step, self.place = trainer.global_step, place
        self.metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.saving = True
        try:
            trainer.save_checkpoint(self.folder.last)
        finally:
            self.saving = False
        self.written = time.monotonic()
        if trainer.is_global_zero:
            self.folder.note_progress(
                epoch=trainer.current_epoch,
                step=trainer.global_step,
                seconds=self.clock.wall_seconds(),
                best=self.best.metrics,
                monitor=self.best.choice.monitor,
            )

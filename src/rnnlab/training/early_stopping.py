"""Early stopping that breaks ties by the loss, and that a run which goes on remembers."""

import logging
import math
from typing import Any

import lightning
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from rnnlab.tasks.choosing import LOSS, check_monitor

log = logging.getLogger(__name__)


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
        self.best_loss = float(
            state_dict.get("best_loss", -math.inf)
        )  # of an earlier rnnlab: no tie is better
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

"""Tells a search how a trial goes, validation by validation, and ends it where it is hopeless."""

import logging
from typing import Any, cast

import lightning
import optuna
from lightning.pytorch.callbacks import Callback

from rnnlab.sweeps.storage import FAILING, failure, open_study
from rnnlab.sweeps.trial_link import Pruned, TrialLink
from rnnlab.tasks.task import Task

log = logging.getLogger(__name__)


class TrialWatch(Callback):
    """Reports the task's monitored metric after each validation, and ends a trial that the pruner gives up.

    The trial ends before the next step, when the checkpoint of its last validation is written: it can be
    gone on with as any run.

    Args:
        link: where the trial is written down.
    """

    def __init__(self, link: TrialLink) -> None:
        study = open_study(link.storage, link.pruner)
        self.trial = optuna.Trial(study, study.get_trials(deepcopy=False)[link.number]._trial_id)
        self.validations = 0
        self.hopeless = False

    def state_dict(self) -> dict[str, Any]:
        """Return how many validations there have been."""
        return {"validations": self.validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting from there."""
        self.validations = state_dict["validations"]

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Report the metric and ask whether to go on."""
        if trainer.is_global_zero:
            self.hopeless = self.told(float(trainer.callback_metrics[cast(Task, pl_module).monitor]))
        self.validations += 1
        self.hopeless = trainer.strategy.broadcast(self.hopeless)

    def told(self, value: float) -> bool:
        """Report a value and return whether to end the trial; a database that is away ends none."""
        try:
            self.trial.report(value, self.validations)
            return self.trial.should_prune()
        except FAILING as error:
            log.warning("The search did not hear of this validation, and prunes nothing: %s.", failure(error))
            return False

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """End the trial, if there is no hope.

        Raises:
            Pruned: if there is none.
        """
        if self.hopeless:
            raise Pruned(f"Trial {self.trial.number} was pruned after {self.validations} validations.")

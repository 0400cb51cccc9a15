"""Early stopping that a run which goes on remembers."""

import logging
from typing import Any

import lightning
from lightning.pytorch.callbacks import EarlyStopping

log = logging.getLogger(__name__)


class RememberedEarlyStopping(EarlyStopping):
    """Lightning's, with two things mended for a run that goes on from a checkpoint.

    A training that had been stopped is not begun again for one more epoch; and a ``patience`` that was
    changed since counts, instead of the one in the checkpoint.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best score and how long ago it was."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop at once where the training had been stopped."""
        if self.wait_count >= max(1, self.patience):  # none is patient before the first validation
            trainer.should_stop = True
            log.info(
                "Early stopping had ended the training: no better %s in %d validations "
                "(callbacks.early_stopping.patience).",
                self.monitor,
                self.wait_count,
            )

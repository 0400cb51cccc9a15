"""The loss and the rate within an epoch, every few steps."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rnnlab.training.clock import TrainingClock


class StepScalars(Callback):
    """Writes ``step/loss`` and ``step/tokens_per_second`` every few steps.

    ``LightningModule.log`` does its bookkeeping on every step, which a small network feels; this waits for
    the device only on the steps it writes.

    Args:
        clock: what counts seconds and tokens.
        every: steps from one writing to the next.
    """

    def __init__(self, clock: TrainingClock, every: int) -> None:
        self.clock = clock
        self.every = every

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write the two scalars when it is their step."""
        if trainer.global_step % self.every or trainer.logger is None:
            return
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        rate = self.clock.tokens_so_far() / max(self.clock.seconds_so_far(), 1e-9)
        scalars = {"step/loss": float(loss), "step/tokens_per_second": rate}
        trainer.logger.log_metrics(scalars, step=trainer.global_step)

"""A damaged state of early stopping is seen when it is read."""

from typing import Any

import lightning
import pytest
from lightning.pytorch.trainer.states import TrainerFn

from rnnlab.errors import ConfigError
from rnnlab.training.stopping import RememberedEarlyStopping


@pytest.mark.parametrize("key", ["best_loss", "best_score", "wait_count"])
def test_what_is_no_number_is_refused(key: str) -> None:
    whole = RememberedEarlyStopping("validation/loss", mode="min").state_dict()
    RememberedEarlyStopping("validation/loss", mode="min").load_state_dict(whole)
    with pytest.raises((TypeError, ValueError)):
        RememberedEarlyStopping("validation/loss", mode="min").load_state_dict({**whole, key: [1, 2]})


@pytest.mark.parametrize(
    ("chooses", "key"), [("f2", "callbacks.checkpoint.monitor"), ("loss", "callbacks.early_stopping.monitor")]
)
def test_a_metric_that_no_validation_has_is_told_by_the_key_that_was_set(chooses: str, key: str) -> None:
    task: Any = lightning.LightningModule()
    task.monitor = f"validation/{chooses}"
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.state.fn = TrainerFn.FITTING
    with pytest.raises(ConfigError, match=f"{key}: no validation has the metric validation/f2"):
        RememberedEarlyStopping("validation/f2").on_validation_end(trainer, task)

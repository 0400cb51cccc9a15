"""Three places in a training at which a checkpoint holds all there is, so that it goes on exactly there.

``MID_EPOCH``: after an optimizer step that neither a validation nor the end of the epoch follows.
``BEFORE_VALIDATION``: after the steps before a validation; what it has counted so far is done again.
``BETWEEN_EPOCHS``: when an epoch's validation, schedules and early stopping are done, and the next has not
begun.

Lightning writes down how often each of its loops was about to begin, had begun, and was done; from that it
finds the place again. It does so for the first. For the other two the counts are put to what they are
there, as Lightning itself would still have to count on when a callback gets to save.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import lightning

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

"""A damaged state of early stopping is seen when it is read."""

import pytest

from rnnlab.training.early_stopping import RememberedEarlyStopping


@pytest.mark.parametrize("key", ["best_loss", "best_score", "wait_count"])
def test_what_is_no_number_is_refused(key: str) -> None:
    whole = RememberedEarlyStopping("validation/loss", mode="min").state_dict()
    RememberedEarlyStopping("validation/loss", mode="min").load_state_dict(whole)
    with pytest.raises((TypeError, ValueError)):
        RememberedEarlyStopping("validation/loss", mode="min").load_state_dict({**whole, key: [1, 2]})

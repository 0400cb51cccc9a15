"""A training that is asked to stop at a certain step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rnnlab.interruption import Interrupted
from rnnlab.training.stopping import StopCleanly


@contextmanager
def stopped_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Send SIGTERM once so many steps are done, and expect that the training ends by it."""
    plain = StopCleanly.on_train_batch_end

    def signalled(self: StopCleanly, trainer: Any, *args: Any, **kwargs: Any) -> None:
        if trainer.global_step == step:
            signal.raise_signal(signal.SIGTERM)
        plain(self, trainer, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(StopCleanly, "on_train_batch_end", signalled)
        with pytest.raises(Interrupted):
            yield

"""How the job of a search hears what watches it, across whatever process it runs in."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnlab.interruption import Interrupted

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from optuna.pruners import BasePruner

    from rnnlab.sweeps.storage import Storage


class Pruned(Interrupted):
    """The search has seen enough of this trial: it is not worth finishing."""


@dataclass(frozen=True)
class TrialLink:
    """Where the trial of a job is written down.

    Attributes:
        storage: where the search's trials are kept.
        number: of the trial.
        pruner: Optuna's, which decides whether the trial is worth finishing.
    """

    storage: "Storage"
    number: int
    pruner: "BasePruner"


_current: ContextVar[TrialLink | None] = ContextVar("trial", default=None)


@contextmanager
def linked(link: TrialLink | None) -> Iterator[None]:
    """Let the run within be watched as this trial."""
    token = _current.set(link)
    try:
        yield
    finally:
        _current.reset(token)


def watchers() -> "list[Callback]":
    """Return the callbacks that watch the current job for its search; none where there is no search."""
    link = _current.get()
    if link is None:
        return []
    from rnnlab.sweeps.trial_watch import TrialWatch

    return [TrialWatch(link)]

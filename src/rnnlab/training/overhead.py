"""What Lightning does at each step and nobody needs: empty hooks, and a profiler that measures nothing."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.profilers import PassThroughProfiler

STEP_HOOKS = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
    "on_validation_batch_start",
    "on_validation_batch_end",
    "on_test_batch_start",
    "on_test_batch_end",
)
"""What Lightning calls at every step, of every callback."""

_NOTHING = nullcontext()


def leave_out_empty_hooks(callbacks: Iterable[Callback]) -> None:
    """Take away those step hooks that a callback has only inherited from ``Callback``, where they do nothing.

    Lightning passes over a hook that can't be called. A call costs little, but six hooks of a dozen
    callbacks, each with its context of the profiler, make a small network's step some percent longer.
    """
    for callback in callbacks:
        for name in STEP_HOOKS:
            if getattr(type(callback), name) is getattr(Callback, name) and name not in vars(callback):
                setattr(callback, name, None)


class Unprofiled(PassThroughProfiler):
    """Measures nothing.

    Lightning enters its profiler for every callback at every hook, some hundred times a step. Its own
    profiler that measures nothing makes a generator each time, which a small network's step feels.
    """

    def profile(self, action_name: str) -> Any:
        """Return a context that does nothing."""
        return _NOTHING

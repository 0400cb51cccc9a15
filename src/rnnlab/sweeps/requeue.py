"""A cluster's warning that a job is about to end: the training ends at a clean place, and is queued again."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rnnlab import interruption
from rnnlab.interruption import Interrupted

WARNINGS = [known for known in signal.Signals if known.name in ("SIGUSR1", "SIGUSR2")]
"""What clusters warn by; submitit listens to one of them, which it asks of the cluster. Windows has none."""
AFTER_ANOTHER = 5.0
"""Seconds that a process which another one has stopped waits for the warning that reaches all of them."""


@contextmanager
def queued_again() -> Iterator[None]:
    """Heed submitit's warnings within, and let submitit queue the job again once the work has ended.

    Its own handler does so wherever the signal falls, and what was done since the last checkpoint is lost.
    Only the first of a job's processes has it queued; for the others the handler does nothing.

    Raises:
        Interrupted: if the work was stopped by another signal, or the job can't be queued again.
        SystemExit: in the first process, when the job is queued.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in WARNINGS}
    queue_again = next((handler for handler in before.values() if callable(handler)), None)
    if queue_again is None:
        yield
        return
    for number in WARNINGS:
        signal.signal(number, heed)
    try:
        yield
    except Interrupted as stop:
        by = asked_too(stop.by)
        if by in WARNINGS:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is queued again is told to end
            queue_again(by, None)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heed(number: int, frame: FrameType | None = None) -> None:
    """Take a warning as a wish to stop, unless there is one already: the handler."""
    if interruption.asked_by() is None:
        interruption.note(number, frame)


def asked_too(by: int) -> int:
    """Return the signal that reached this process, soon after another one stopped it for the same."""
    until = time.monotonic() + AFTER_ANOTHER
    while interruption.asked_by() is None and time.monotonic() < until:
        time.sleep(0.05)
    return interruption.asked_by() or by

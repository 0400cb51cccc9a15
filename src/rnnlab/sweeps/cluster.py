"""A sweep's job on a cluster: its processes agree on what is done, and a warning of its end queues it again.

Of the processes that SLURM starts for a job of several devices the first decides, the others follow.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

from rnnlab import interruption
from rnnlab.atomic import write_text
from rnnlab.files.bounded import glimpse
from rnnlab.interruption import Interrupted

WARNINGS = [known for known in signal.Signals if known.name in ("SIGUSR1", "SIGUSR2")]
"""What clusters warn by; submitit listens to one of them, which it asks of the cluster. Windows has none."""
AFTER_ANOTHER = 5.0
"""Seconds that a process which another one has stopped waits for the warning that reaches all of them."""
POLL = 0.2  # seconds between two looks at what the first process has decided

Decision = Literal["start", "resume", "nothing"]


@dataclass(frozen=True)
class Ranks:
    """A job's processes, seen from one of them.

    Attributes:
        rank: of this one, from 0.
        file: in which the first writes what is done about the job. It lies in the folder of the invocation
            that launched the job, which goes when that invocation is dead, and is named by SLURM's job and
            how often that was started: what was decided before it was requeued does not count.
    """

    rank: int
    file: Path

    @property
    def is_first(self) -> bool:
        """Whether this process decides."""
        return self.rank == 0

    def tell(self, decision: Decision) -> None:
        """Tell the others; what was told first stands, and an invocation that is dead has none to tell."""
        if self.file.parent.is_dir() and not self.file.exists():
            write_text(self.file, decision)

    def heard(self) -> str:
        """Wait for what the first has decided, and return it.

        Raises:
            Interrupted: if a signal comes meanwhile.
        """
        with interruption.waiting():
            while not self.file.exists():
                if not self.file.parent.is_dir():
                    return "nothing"
                time.sleep(POLL)
        return glimpse(self.file, 100)


def ranks_of(folder: Path, job: str) -> Ranks | None:
    """Return the processes of a job, ``None`` where it has this one alone.

    Args:
        folder: of the invocation that launched the job.
        job: its name.
    """
    if os.environ.get("SUBMITIT_EXECUTOR") != "slurm" or os.environ.get("SLURM_NTASKS", "1") == "1":
        return None
    start = f"{os.environ['SLURM_JOB_ID']}-{os.environ.get('SLURM_RESTART_COUNT', '0')}"
    return Ranks(int(os.environ["SLURM_PROCID"]), folder / f"{job}.{start}.decided")


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

"""Jobs run until each is settled, by this invocation or by another one of the same sweep."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rnnlab.command_line import Interrupted
from rnnlab.sweeps.attempts import Attempts
from rnnlab.sweeps.job import Outcome
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.launching import Launching
from rnnlab.sweeps.sweep_folder import SweepFolder
from rnnlab.terminal import console, errors

POLL = 1.0  # seconds between two looks at what others are working on


def settle(jobs: Sequence[Job], launching: Launching, folder: SweepFolder) -> dict[str, Outcome]:
    """Run the jobs, wait for those that others are at, and take over what others leave undone.

    Returns:
        What became of each job by its name; without those that were not settled when the sweep was stopped.

    Raises:
        RnnlabError: if the launcher can't start a process at all.
        Interrupted: if the sweep is stopped.
    """
    settled: dict[str, Outcome] = {}
    waited = False
    while left := [job for job in jobs if job.name not in settled]:
        if launching.attempts.stopping():
            raise Interrupted("The jobs were stopped.", launching.attempts.stopped_by())
        free = [job for job in left if not is_running(folder, job)]
        if free:
            found = launching.run(free)
            settled |= {name: outcome for name, outcome in found.items() if is_settled(outcome)}
            continue
        if not waited:
            names = ", ".join(job.name for job in left)
            told = f"Waiting for other processes, which are at {names}. Ctrl-C leaves it to them."
            console.print(told, markup=False)
            waited = True
        time.sleep(POLL)
    return settled


def is_running(folder: SweepFolder, job: Job) -> bool:
    """Return whether a process is at the job now."""
    return folder.run(job).state().name == "running"


def is_settled(outcome: Outcome) -> bool:
    """Return whether nothing more is to be done about the job."""
    return outcome.did not in ("elsewhere", "stopped")


@contextmanager
def stopping_cleanly(attempts: Attempts) -> Iterator[None]:
    """Pass Ctrl-C and SIGTERM on to the jobs, once to each; a second signal ends at once.

    A training in this process takes the signals itself while it lasts.
    """

    def ask(number: int, frame: Any) -> None:
        if attempts.stopping():
            raise KeyboardInterrupt
        asked = attempts.stop(number)
        if not asked:
            raise Interrupted("Nothing was at work.", number)
        name = signal.Signals(number).name
        errors.print(
            f"{name}: the jobs at work ({asked}) stop after their step (again to stop at once).",
            style="yellow",
            markup=False,
        )

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

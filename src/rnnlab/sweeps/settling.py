"""Jobs run until each is settled, by this invocation or by another one of the same sweep."""

import time
from collections.abc import Sequence

from rnnlab import interruption
from rnnlab.interruption import Interrupted
from rnnlab.sweeps.job import Outcome
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.launching import POLL, Launching
from rnnlab.sweeps.sweep_folder import SweepFolder
from rnnlab.terminal import console


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
        interruption.check()
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

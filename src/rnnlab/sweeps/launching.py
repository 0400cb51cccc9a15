"""Hydra's launchers: several jobs handed over at once, whatever becomes of their processes."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rnnlab.errors import RnnlabError
from rnnlab.sweeps.attempts import Attempts
from rnnlab.sweeps.job import Outcome
from rnnlab.sweeps.jobs import Job
from rnnlab.terminal import errors

Launch = Callable[[Sequence[Job]], Sequence[Any]]
"""Runs the jobs and returns, for each in order, what Hydra's launchers return (a ``JobReturn``)."""


@dataclass(frozen=True)
class Launching:
    """Runs jobs through a launcher.

    Attributes:
        launch: the launcher.
        attempts: of this invocation.
        at_once: how many jobs are handed over together; ``None`` for all, where the launcher itself limits
            how many run at the same time.
    """

    launch: Launch
    attempts: Attempts
    at_once: int | None

    def run(self, jobs: Sequence[Job]) -> dict[str, Outcome]:
        """Run the jobs and return what became of each, by its name.

        A process that dies takes others of its launcher with it. Those that had begun are then run again one
        at a time, so that the one at fault fails alone.

        Raises:
            RnnlabError: if the launcher can't start a process at all.
        """
        found: dict[str, Outcome] = {}
        waiting = deque(chunks(jobs, self.at_once))
        while waiting and not self.attempts.stopping():
            chunk = waiting.popleft()
            try:
                found |= outcomes(chunk, self.launch(chunk))
            except Exception as error:
                if self.attempts.stopping():
                    break
                begun = [job for job in chunk if self.attempts.has_begun(job.name)]
                if not begun:
                    raise RnnlabError(f"The launcher could not start the jobs: {told(error)}") from error
                if len(chunk) == 1:
                    found[chunk[0].name] = Outcome("failed", f"its process died: {told(error)}")
                    continue
                errors.print(f"A process died ({told(error)}). The others' jobs go on.", markup=False)
                waiting.extendleft([job] for job in reversed(begun))
                rest = [job for job in chunk if job not in begun]
                waiting.extend(chunks(rest, self.at_once))
        for job in jobs:
            found.setdefault(job.name, Outcome("stopped"))
        return found


def outcomes(jobs: Sequence[Job], returned: Sequence[Any]) -> dict[str, Outcome]:
    """Return what the jobs' processes returned, by the jobs' names."""
    return {job.name: result.return_value for job, result in zip(jobs, returned, strict=True)}


def chunks(jobs: Sequence[Job], size: int | None) -> Iterable[list[Job]]:
    """Cut the jobs into lists of at most ``size``; into one where that is ``None``."""
    step = size or max(1, len(jobs))
    return [list(jobs[start : start + step]) for start in range(0, len(jobs), step)]


def told(error: BaseException) -> str:
    """Return an error in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 300 else f"{text[:300]}..."

"""The folder of a sweep: what lies where, and how it is read and written."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from rnnlab.atomic import write_text
from rnnlab.errors import RunError
from rnnlab.sweeps.jobs import Job
from rnnlab.training.run_folder import SWEEP_FILE, RunFolder, read_sweep


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder: its jobs' run folders, and beside them

    - ``sweep.yaml``: ``command`` (as last typed), ``jobs_by`` (``grid`` or ``optuna``), ``fixed`` (the
      overrides that all jobs share), ``swept`` (the swept keys), ``monitor`` and ``mode`` (the validation
      metric that compares jobs, and whether it is best at its ``min`` or ``max``), ``jobs`` (the overrides of
      each job by the name of its folder, also of earlier invocations); of a search also ``pruned`` (names of
      the jobs that were not worth finishing: ``RunFolder.state()`` has them as interrupted);
    - ``trials.sqlite``, ``figures/``, ``conf/experiment/best.yaml``: of a search;
    - ``.attempts/``: who works on it now, one folder for each invocation.
    """

    path: Path

    @property
    def facts_file(self) -> Path:
        """What the sweep is about."""
        return self.path / SWEEP_FILE

    @property
    def storage(self) -> Path:
        """Optuna's database of trials."""
        return self.path / "trials.sqlite"

    @property
    def figures(self) -> Path:
        """The folder of figures about the whole sweep."""
        return self.path / "figures"

    @property
    def best_experiment(self) -> Path:
        """The best configuration, as an experiment; ``--config-dir`` takes its folder of groups."""
        return self.path / "conf" / "experiment" / "best.yaml"

    @property
    def attempts(self) -> Path:
        """The folder of the invocations that work on the sweep."""
        return self.path / ".attempts"

    def run(self, job: Job) -> RunFolder:
        """Return the run folder of a job."""
        return RunFolder(self.path / job.name)

    def alone(self) -> AbstractContextManager[Any]:
        """Return a context in which no other invocation changes the sweep's own files."""
        self.attempts.mkdir(parents=True, exist_ok=True)
        return FileLock(self.attempts / "sweep.lock")

    def facts(self) -> dict[str, Any]:
        """Return the content of ``sweep.yaml``; empty where there is none.

        Raises:
            RunError: if it is damaged.
        """
        try:
            return read_sweep(self.facts_file)
        except FileNotFoundError:
            return {}

    def note(self, facts: dict[str, Any], jobs: Sequence[Job]) -> None:
        """Write what the sweep is about; jobs of earlier invocations stay."""
        with self.alone():
            known = self.facts().get("jobs", {})
            every = {**known, **{job.name: list(job.words) for job in jobs}}
            content = {**facts, "jobs": every}
            write_text(self.facts_file, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    def move_aside(self) -> Path | None:
        """Give the folder another name, so that the sweep starts over; nothing is deleted.

        Returns:
            The new name; ``None`` where there was no sweep.

        Raises:
            RunError: if a process works on one of the sweep's runs.
        """
        if not self.path.exists():
            return None
        busy = [run.name for run in sorted(self.path.iterdir()) if RunFolder(run).state().name == "running"]
        if busy:
            raise RunError(
                f"sweep.restart=true: {self.path} is being worked on ({', '.join(busy)}). Stop that first."
            )
        aside = self.path.with_name(f"{self.path.name}.before-{datetime.now():%Y-%m-%d_%H-%M-%S-%f}")
        self.path.rename(aside)
        return aside

"""The folder of a sweep: what lies where, by what its jobs are compared, and the best one kept."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from rnnlab.atomic import write_text
from rnnlab.errors import DamagedFileError, RunError
from rnnlab.folders import command
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.overrides import Overrides, Setting
from rnnlab.tasks.choosing import Choice, choice_of, stated_by
from rnnlab.terminal import shown
from rnnlab.training.resume import put
from rnnlab.training.run_folder import SWEEP_FILE, RunFolder, read_sweep

DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # a sixth of the time: 0.05 s for 1,000 jobs


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder: its jobs' run folders, and beside them

    - ``sweep.yaml``: ``command`` (as last typed), ``jobs_by`` (``grid`` or ``optuna``), ``fixed`` (the
      overrides that all jobs share), ``swept`` (the swept keys), ``monitor`` and ``mode`` (the validation
      metric that compares jobs, and whether it is best at its ``min`` or ``max``), ``jobs`` (the overrides of
      each job by the name of its folder, also of earlier invocations); of a search also ``pruned`` (names of
      the jobs that were not worth finishing: ``RunFolder.state()`` has them as interrupted), ``storage`` and
      ``study`` (where its trials are, see :mod:`rnnlab.sweeps.storage`);
    - ``trials.sqlite`` or ``trials.journal``, ``figures/``, ``conf/experiment/best.yaml``: of a search;
    - ``.attempts/``: who works on it now, one folder for each invocation.
    """

    path: Path

    @property
    def facts_file(self) -> Path:
        """What the sweep is about."""
        return self.path / SWEEP_FILE

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
            known = self.facts()
            every = {**known.pop("jobs", {}), **{job.name: list(job.words) for job in jobs}}
            self.write({**known, **facts, "jobs": every})

    def keep(self, facts: dict[str, str]) -> dict[str, str]:
        """Write facts unless they are there, and return those that are."""
        with self.alone():
            known = self.facts()
            kept = {name: known.get(name, fact) for name, fact in facts.items()}
            self.write({**kept, **known})
        return kept

    def write(self, facts: Mapping[str, Any]) -> None:
        """Write ``sweep.yaml``."""
        text = yaml.dump(dict(facts), Dumper=DUMPER, sort_keys=False, allow_unicode=True)
        write_text(self.facts_file, text)

    def named_before(self, jobs: Sequence[Job]) -> dict[str, str]:
        """Return the names of jobs in ``sweep.yaml`` by theirs of now: they were made otherwise once."""
        known = {frozenset(words): name for name, words in self.facts().get("jobs", {}).items()}
        return {job.name: known.get(frozenset(job.words), job.name) for job in jobs}

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


HEADER = """\
# @package _global_
# {about}
#   {train} --config-dir {groups} experiment=best
# To keep it, copy this file into conf/experiment under a name of its own.
"""
LACKING = "# The search's command also had {words}, which a file can't say.\n"


def write_best(
    file: Path, about: str, overrides: Overrides, chosen: Sequence[Setting], is_group: Callable[[str], bool]
) -> None:
    """Write the best trial's configuration as ``experiment=best``.

    Args:
        file: where; its folder's folder is what ``--config-dir`` takes.
        about: the comment's first line.
        overrides: of the search's command.
        chosen: the best values of the swept keys.
        is_group: tells whether a key chooses among configuration files.
    """
    content = experiment([*overrides.fixed_settings(), *chosen], is_group)
    head = HEADER.format(about=about, train=command("train"), groups=shown(file.parents[1]))
    removed = [str(override.input_line) for override in overrides.fixed if override.is_delete()]
    if removed:
        head += LACKING.format(words=" ".join(removed))
    write_text(file, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def experiment(settings: Sequence[Setting], is_group: Callable[[str], Any]) -> dict[str, Any]:
    """Return overrides as the content of an experiment's file.

    >>> groups = ["experiment", "model"]
    >>> experiment([("experiment", "a"), ("model", "gru"), ("model.layers", 2)], groups.count)
    {'defaults': ['a', {'override /model': 'gru'}], 'model': {'layers': 2}}
    """
    defaults: list[Any] = []
    values: dict[str, Any] = {}
    for key, value in settings:
        if key.startswith("~"):
            continue
        name = key.lstrip("+")
        if name == "experiment":
            defaults.insert(0, value)
        elif is_group(name):
            defaults.append({f"override /{name}": value})
        else:
            put(values, name, value)
    return {"defaults": defaults, **values} if defaults else values


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compared(Choice):
    """The validation metric by which jobs are compared."""

    def value(self, metrics_file: Path) -> float | None:
        """Return the metric of a finished run; ``None`` of others, and, with a warning, of damaged ones."""
        folder = RunFolder(metrics_file.parent)
        if not folder.metrics_file.exists():
            return None
        split, _, name = self.monitor.partition("/")
        try:
            found = (folder.metrics().get(split) or {}).get(name)
        except DamagedFileError as error:
            log.warning("%s", error)
            return None
        return None if found is None else float(found)

    def rank(self, value: float | None) -> tuple[bool, float]:
        """Return what sorts a job of this value among others: the best first, those without a result last."""
        if value is None or math.isnan(value):
            return True, 0.0
        return False, value if self.mode == "min" else -value


def compared_by(config: Mapping[str, Any]) -> Compared:
    """Return the metric by which runs of this configuration choose their best checkpoint.

    Raises:
        ConfigError: if the configuration says one whose mode is not known.
    """
    settings = config.get("callbacks", {}).get("checkpoint", {})
    choice = choice_of(settings, own_choice(config["task"]["_target_"]), "callbacks.checkpoint")
    return Compared(choice.monitor, choice.mode)


def own_choice(target: str) -> Choice:
    """Return the metric that a task states.

    Importing the class takes half of the time that a sweep in several processes, which import torch and
    Lightning once more, needs to begin: of rnnlab's tasks the package says it.
    """
    stated = stated_by(target)
    if stated is not None:
        return stated
    from rnnlab.build import locate_class
    from rnnlab.tasks.task import Task

    task = locate_class(target, Task, "task")
    return Choice(task.monitor, task.mode)

"""A sweep from its command to its table."""

import logging
import re
import signal
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rnnlab import interruption
from rnnlab.command_line import JobsFailed
from rnnlab.errors import ConfigError, nearest
from rnnlab.folders import command, typed
from rnnlab.interruption import Interrupted, listening
from rnnlab.ranges import check_ranges
from rnnlab.sweeps.attempts import Attempts, new_attempts
from rnnlab.sweeps.job import Outcome, RememberedOrigins, SweepJob, standing
from rnnlab.sweeps.jobs import Composed, Job, composed, grid
from rnnlab.sweeps.launching import HydraSide, Launching, settle
from rnnlab.sweeps.overrides import Overrides, read_overrides, sweep_name
from rnnlab.sweeps.parallelism import together
from rnnlab.sweeps.report import report
from rnnlab.sweeps.sweep_folder import Compared, SweepFolder, compared_by
from rnnlab.terminal import console, shown
from rnnlab.training.run_folder import RunFolder

WAYS = ("grid", "optuna")
MANY = 100  # jobs: configurations are composed for 3 seconds, or, if each chooses other files, for 25


@dataclass(frozen=True)
class Sweep:
    """A sweep whose command is read and whose folder is known.

    Attributes:
        hydra: composes and launches.
        overrides: of the command.
        folder: where it lies.
        compared: the metric by which jobs are compared.
        settings: the section ``sweep``.
    """

    hydra: HydraSide
    overrides: Overrides
    folder: SweepFolder
    compared: Compared
    settings: Mapping[str, Any]


def sweep(words: Sequence[str], hydra: HydraSide) -> None:
    """Run a sweep, or what is left of it.

    Args:
        words: the command's overrides that are not about Hydra itself.
        hydra: composes and launches.

    Raises:
        ConfigError: if the command describes no sweep.
        JobsFailed: if a job failed; the others are done.
        Interrupted: if Ctrl-C or SIGTERM stopped the sweep; the message says how to go on.
    """
    for name in ("hydra", "hydra_plugins"):  # launchers list the jobs, which is said better here
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = hydra.settings
    check_ranges({"sweep": settings})
    if settings["jobs_by"] not in WAYS:
        raise ConfigError(
            f"sweep.jobs_by={settings['jobs_by']} is unknown. {nearest(settings['jobs_by'], WAYS)}"
        )
    overrides = read_overrides(with_folds(words, settings["jobs_by"]), hydra.context.config_loader)
    if settings["jobs_by"] == "grid":
        run_grid(overrides, hydra)
    else:
        from rnnlab.sweeps.searching import run_search

        run_search(overrides, hydra)


def with_folds(words: Sequence[str], jobs_by: str) -> list[str]:
    """Return a command's words with a job for each part of ``folds=…``, where none is named.

    Raises:
        ConfigError: if a search is to choose among parts.

    >>> with_folds(["folds=3", "model=gru"], "grid")
    ['folds=3', 'model=gru', 'fold=1,2,3']
    """
    counts = [int(word[6:]) for word in words if re.fullmatch(r"folds=[0-9]{1,6}", word)]
    if not counts or any(word.startswith("fold=") for word in words):
        return list(words)
    if jobs_by != "grid":
        raise ConfigError(
            f"folds={counts[0]}: a search would choose among the parts. Search with fold=1, and "
            "cross-validate what it found."
        )
    return [*words, f"fold={','.join(map(str, range(1, counts[0] + 1)))}"]


def run_grid(overrides: Overrides, hydra: HydraSide) -> None:
    """Run a job for every combination of values."""
    jobs = grid(overrides)
    found = compose_all(jobs, hydra)
    this = placed(overrides, hydra, next(iter(found.configs.values())))
    if not this.settings["restart"]:
        names = this.folder.named_before(jobs)
        jobs, found = [replace(job, name=names[job.name]) for job in jobs], found.renamed(names)
    begin(this, jobs)
    outcomes = {name: Outcome("failed", why) for name, why in found.refused.items()}
    tell_refused(this, jobs, found.refused)
    with working(this) as attempts:
        outcomes |= settled_before(this, found.configs, attempts)
        left = [job for job in jobs if job.name not in outcomes]
        console.print(opening(this, jobs, outcomes, found.refused))
        outcomes |= run_jobs(this, left, attempts)
    report(this.folder, this.compared, jobs, outcomes)
    end_by(outcomes)


def settled_before(
    this: Sweep, configs: Mapping[str, Mapping[str, Any]], attempts: Attempts
) -> dict[str, Outcome]:
    """Return the outcomes of the jobs about which nothing is to be done, by name; say what can't be told."""
    outcomes: dict[str, Outcome] = {}
    notes: dict[str, None] = {}
    origin = RememberedOrigins()
    for name, config in configs.items():
        folder = RunFolder(this.folder.path / name)
        what = standing(folder, config, failed_before=attempts.since, origin=origin)
        if what.do == "nothing":
            outcomes[name] = Outcome("already")
            notes |= {what.why: None} if what.why else {}
        elif what.do == "leave":
            outcomes[name] = Outcome("failed", what.why, what.again)
    for note in notes:
        console.print(note, style="yellow")
    return outcomes


def tell_refused(this: Sweep, jobs: Sequence[Job], refused: Mapping[str, str]) -> None:
    """Say at once which jobs can't start, rather than hours later, and why; also in their folders."""
    for job in jobs:
        if job.name in refused:
            console.print(f"{job.name} can't start: {refused[job.name]}", style="red")
            folder = this.folder.run(job)
            if not folder.config_file.exists():  # another configuration's run may lie there
                folder.fail(refused[job.name])


def compose_all(jobs: Sequence[Job], hydra: HydraSide) -> Composed:
    """Compose every job; say so where that takes longer than a person waits.

    Raises:
        ConfigError: if two jobs are one.
        HydraException: if no job can be composed.
    """
    many = len(jobs) >= MANY
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TimeRemainingColumn(compact=True))
    if many and not console.is_terminal:
        console.print(f"Composing the configurations of {len(jobs):,} jobs.")
    try:
        with Progress(
            *columns, console=console, transient=True, disable=not (many and console.is_terminal)
        ) as bar:
            row = bar.add_task(f"Composing the configurations of {len(jobs):,} jobs", total=len(jobs))

            def compose(job: Job) -> dict[str, Any]:
                interruption.check()
                bar.advance(row)
                return hydra.compose(job)

            return composed(jobs, compose, hydra.config.hydra.launcher)
    except ConfigError as error:
        cause = error.__cause__.__cause__ if error.__cause__ else None
        if isinstance(cause, HydraException | OmegaConfBaseException) and str(cause):
            raise cause from None  # the command line knows the nearest key
        raise


def placed(overrides: Overrides, hydra: HydraSide, config: Mapping[str, Any], space: Any = None) -> Sweep:
    """Return the sweep with its folder, which is named by its content.

    Args:
        overrides: of the command.
        hydra: composes and launches.
        config: of one of the jobs.
        space: what the name must tell apart besides the keys.
    """
    settings = hydra.settings
    keys = {key.split("@")[0].lstrip("+~") for key in overrides.swept_keys()}
    task = "several" if keys & {"task", "experiment"} else config["task"]["name"]
    data = "several" if keys & {"data", "experiment"} else config["data"]["name"]
    told_by_path = [("task", task), ("data", data)]
    fixed = [setting for setting in overrides.fixed_settings() if setting not in told_by_path]
    name = sweep_name(settings["jobs_by"], overrides.swept_keys(), fixed, space)
    folder = SweepFolder(hydra.root / task / data / name)
    hydra.lie_in(folder.path)
    return Sweep(hydra, overrides, folder, compared_by(config), settings)


def begin(this: Sweep, jobs: Sequence[Job]) -> None:
    """Put an earlier sweep aside where that is asked for, and write down what this one is about."""
    if this.settings["restart"]:
        aside = this.folder.move_aside()
        if aside is not None:
            console.print(f"Starting over; what was there is in {shown(aside)} now.")
    this.folder.note(facts_of(this), jobs)


def facts_of(this: Sweep) -> dict[str, Any]:
    """Return what the sweep is about, for its ``sweep.yaml``."""
    return {
        "command": same_command(),
        "jobs_by": this.settings["jobs_by"],
        "fixed": this.overrides.fixed_words(),
        "swept": this.overrides.swept_keys(),
        "monitor": this.compared.monitor,
        "mode": this.compared.mode,
    }


@contextmanager
def working(this: Sweep) -> Iterator[Attempts]:
    """Work on the sweep; other invocations may do so, too.

    Raises:
        Interrupted: if the user stops it.
    """
    try:
        with new_attempts(this.folder.attempts) as attempts, listening(pass_on=attempts.pass_on):
            yield attempts
    except (Interrupted, KeyboardInterrupt) as stop:
        told = f"The sweep is stopped; it is in {shown(this.folder.path)}.\nGo on with: {same_command()}"
        raise Interrupted(told, stop.by if isinstance(stop, Interrupted) else signal.SIGINT) from stop
    finally:
        this.hydra.processes.end()


def run_jobs(this: Sweep, jobs: Sequence[Job], attempts: Attempts) -> dict[str, Outcome]:
    """Run jobs on the configured launcher until each is settled, and return what became of them.

    Raises:
        RnnlabError: if it can't start a process.
        Interrupted: if the sweep is stopped.
    """
    if not jobs:
        return {}
    side_by_side = together(this.hydra.config.hydra.launcher, this.settings, len(jobs))
    order = [job.name for job in jobs]
    task = SweepJob(this.hydra.task, attempts, order, threads=side_by_side.threads)
    places = side_by_side.places if side_by_side.one_by_one else None
    return settle(jobs, Launching(this.hydra.launcher(task), attempts, places), this.folder)


def opening(
    this: Sweep, jobs: Sequence[Job], outcomes: Mapping[str, Outcome], refused: Collection[str]
) -> str:
    """Return the sweep's first line."""
    done = sum(outcome.did == "already" for outcome in outcomes.values())
    parts = [f"Sweep of {len(jobs)} jobs"]
    parts += [f"{done} of them done"] * (done > 0)
    parts += [f"{len(refused)} of them impossible"] * bool(refused)
    return f"{', '.join(parts)}, in {shown(this.folder.path)}"


def end_by(outcomes: Mapping[str, Outcome]) -> None:
    """End the sweep.

    Raises:
        JobsFailed: if one did.
    """
    failed = [outcome for outcome in outcomes.values() if outcome.did == "failed"]
    as_they_are = sum(not outcome.again for outcome in failed)
    of_all = f"of {len(outcomes)} jobs"
    told = [f"{as_they_are} {of_all} left as they are, for the reasons above."] * bool(as_they_are)
    if as_they_are < len(failed):
        told.append(f"{len(failed) - as_they_are} {of_all} failed. Try them again with: {same_command()}")
    if told:
        raise JobsFailed(" ".join(told))


def same_command() -> str:
    """Return the command that goes on with the sweep."""
    words = [word for word in sys.argv[1:] if not word.startswith("sweep.restart=")]
    return f"{command('train')} {typed(words)}"

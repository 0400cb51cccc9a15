"""What a sweep needs of Hydra: configurations composed, launchers, and jobs run until each is settled."""

import copy
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from rnnlab import interruption
from rnnlab.errors import ConfigError, RnnlabError
from rnnlab.interruption import Interrupted
from rnnlab.sweeps.attempts import Attempts
from rnnlab.sweeps.job import Outcome, SweepJob
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.sweep_folder import SweepFolder
from rnnlab.synonyms import unknown_choice
from rnnlab.terminal import console, errors

DEFAULTS: dict[str, dict[str, Any]] = {
    "LocalLauncher": {"timeout_min": 7 * 24 * 60},
    # A job that runs out of time goes on in a new one.
    "SlurmLauncher": {
        "timeout_min": 24 * 60,
        "max_num_timeout": 3,
        # Of a job's processes none waits for one that has died.
        "setup": ["export SLURM_KILL_BAD_EXIT=1"],
    },
}
"""What suits trainings better than launchers' own defaults, such as submitit's end after an hour."""

Launch = Callable[[Sequence[Job]], Sequence[Any]]
"""Runs the jobs and returns, for each in order, what Hydra's launchers return (a ``JobReturn``)."""

Run = Callable[..., Sequence[Any]]
"""What a launcher is called by: the words of each job, and ``initial_job_idx``, the first one's number."""

KEPT = 100  # configurations that files make, half a megabyte each
POLL = 1.0  # seconds between two looks at what others are working on


@dataclass
class HydraSide:
    """What Hydra gives a sweeper.

    Attributes:
        context: composes configurations.
        config: of the command without its swept keys.
        task: trains one run, see :func:`rnnlab.command_line.run_hydra`.
        processes: in which ``hydra/launcher=joblib`` runs jobs.
        launched: how many jobs a launcher was given.
        composed: what files make of choices among them.
        groups: whether there are such files, by key.
    """

    context: HydraContext
    config: DictConfig
    task: TaskFunction
    processes: "Processes" = field(default_factory=lambda: Processes())
    launched: int = 0
    composed: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)
    groups: dict[str, bool] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """How the sweep is run: the section ``sweep``, plain."""
        found: Any = OmegaConf.to_container(self.config.sweep, resolve=True)
        return dict(found)

    @property
    def root(self) -> Path:
        """Where sweeps lie."""
        return Path(self.config.hydra.sweep.dir).resolve()

    def is_group(self, key: str) -> bool:
        """Return whether a key chooses among configuration files; Hydra copies all of them to tell."""
        name = key.lstrip("+~").split("@")[0]
        if name not in self.groups:
            self.groups[name] = bool(self.context.config_loader.get_group_options(name))
        return self.groups[name]

    def compose(self, job: Job) -> dict[str, Any]:
        """Return the resolved configuration of a job, as plain data.

        Most jobs choose the same files as the one before and differ in values: the files are composed once,
        which takes Hydra a quarter of a second, and values are set as Hydra sets them.

        Raises:
            ConfigError: if it can't be composed; the cause is Hydra's error.
        """
        try:
            overrides = OverridesParser.create().parse_overrides(list(job.words))
            choices = [override for override in overrides if self.chooses(override)]
            found = copy.deepcopy(self.of_files(tuple(str(choice.input_line) for choice in choices)))
            values = [override for override in overrides if not self.chooses(override)]
            ConfigLoaderImpl._apply_overrides_to_config(values, found)
            content: Any = OmegaConf.to_container(found, resolve=True, throw_on_missing=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(first_words(error)) from error
        return dict(content)

    def chooses(self, override: Override) -> bool:
        """Return whether an override chooses among configuration files, or is of Hydra's own section."""
        key = override.key_or_group
        return self.is_group(key) or key == "hydra" or key.startswith("hydra.")

    def of_files(self, choices: tuple[str, ...]) -> DictConfig:
        """Return what files make of the choices among them, without Hydra's own section; don't change it."""
        if choices not in self.composed:
            found = self.context.config_loader.load_sweep_config(self.config, list(choices))
            with open_dict(found):
                del found["hydra"]
            if len(self.composed) == KEPT:
                self.composed.clear()
            self.composed[choices] = found
        return self.composed[choices]

    def lie_in(self, folder: Path) -> None:
        """Let the launcher's jobs lie in ``folder``."""
        self.config.hydra.sweep.dir = str(folder)
        self.config.hydra.overrides.hydra.append(f"hydra.sweep.dir={in_quotes(str(folder))}")

    def launcher(self, task: SweepJob) -> Launch:
        """Return the launcher that the configuration names, which runs ``task`` for each job."""
        kind = str(self.config.hydra.launcher._target_).rpartition(".")[2]
        if kind == "JoblibLauncher":
            run: Run = partial(self.processes.launch, self.context, self.config, task)
        else:
            said = {str(line).partition("=")[0] for line in self.config.hydra.overrides.hydra}
            for name, value in DEFAULTS.get(kind, {}).items():
                if f"hydra.launcher.{name}" not in said:
                    self.config.hydra.launcher[name] = value
            launcher: Any = Plugins.instance().instantiate_launcher(self.context, task, self.config)
            if kind == "RayLauncher":
                start_ray_once(launcher.ray_cfg.init)
            run = launcher.launch

        def launch(jobs: Sequence[Job]) -> Sequence[Any]:
            words = [[*job.words, f"hydra.sweep.subdir={in_quotes(job.name)}"] for job in jobs]
            first, self.launched = self.launched, self.launched + len(jobs)
            return run(words, initial_job_idx=first)

        return launch


def in_quotes(text: str) -> str:
    """Return a text as Hydra reads it to the letter."""
    return QuotedString(text, Quote.single).with_quotes()


class Processes:
    """Python processes that run one job after the other, each of them alone.

    What ``hydra/launcher=joblib`` runs jobs in. Its own way, one pool for a list of jobs, ends only with the
    slowest of them, and a process that dies takes the whole pool with it.
    """

    def __init__(self) -> None:
        self.idle: list[Any] = []

    def launch(
        self,
        context: HydraContext,
        config: DictConfig,
        task: SweepJob,
        words: Sequence[Sequence[str]],
        initial_job_idx: int,
    ) -> list[Any]:
        """Run a job in a process that is idle, or a new one, and return what Hydra's launchers return.

        Raises:
            BrokenProcessPool: if the process dies.
        """
        from hydra_plugins.hydra_joblib_launcher._core import execute_job
        from joblib.externals.loky import ProcessPoolExecutor

        (job,) = words
        process = self.idle.pop() if self.idle else ProcessPoolExecutor(max_workers=1)
        try:
            told = process.submit(
                execute_job, initial_job_idx, list(job), context, config, task, Singleton.get_state()
            ).result()
        except BaseException:
            process.shutdown(wait=False, kill_workers=True)
            raise
        self.idle.append(process)
        return [told]

    def end(self) -> None:
        """End the processes, which are idle."""
        while self.idle:
            self.idle.pop().shutdown()


STORE = 75 * 2**20
"""Bytes of Ray's store of objects, which here are configurations: what its launcher takes, too."""


def start_ray_once(settings: DictConfig) -> None:
    """Start Ray, or find its cluster, once: its launcher would in the threads of several jobs at a time.

    Args:
        settings: what the launcher gives ``ray.init``.
    """
    from hydra_plugins.hydra_ray_launcher._launcher_util import start_ray

    settings.setdefault("object_store_memory", STORE)
    start_ray(settings)


def first_words(error: Exception) -> str:
    """Return what Hydra says of a wrong configuration, without where it looked."""
    text = str(error) or str(error.__cause__ or type(error).__name__)
    composing = text.partition("Config search path")[0]
    kept = [line.strip() for line in composing.splitlines()]
    return unknown_choice(composing) or " ".join(line for line in kept if line)


@dataclass(frozen=True)
class Launching:
    """Runs jobs through a launcher.

    Attributes:
        launch: the launcher.
        attempts: of this invocation.
        places: how many jobs run at the same time, each given to the launcher by itself; ``None`` where the
            launcher is given all together.
    """

    launch: Launch
    attempts: Attempts
    places: int | None

    def run(self, jobs: Sequence[Job]) -> dict[str, Outcome]:
        """Run the jobs and return what became of each, by its name.

        Raises:
            RnnlabError: if the launcher can't start a process at all.
        """
        found = self.run_together(jobs) if self.places is None else self.run_one_by_one(jobs, self.places)
        return {job.name: found.get(job.name, Outcome("stopped")) for job in jobs}

    def run_one_by_one(self, jobs: Sequence[Job], places: int) -> dict[str, Outcome]:
        """Run each job as soon as a place is free for it."""
        waiting, found = deque(jobs), dict[str, Outcome]()

        def take(count: int) -> list[Job]:
            left = 0 if self.attempts.stopping() else min(count, len(waiting))
            return [waiting.popleft() for _ in range(left)]

        def tell(job: Job, outcome: Outcome) -> None:
            found[job.name] = outcome

        fill(min(places, len(jobs)), take, self.run_alone, tell)
        return found

    def run_together(self, jobs: Sequence[Job]) -> dict[str, Outcome]:
        """Give the launcher all jobs in one list.

        A process that dies may take others of its launcher with it. Those that had begun are then run again
        one at a time, so that the one at fault fails alone.
        """
        if len(jobs) == 1:
            return {jobs[0].name: self.run_alone(jobs[0])}
        try:
            return outcomes(jobs, self.launch(jobs))
        except Exception as error:
            if self.attempts.stopping():
                return {}
            begun = [job for job in jobs if self.attempts.has_begun(job.name)]
            if not begun:
                raise not_started(error) from error
            errors.print(f"A process died ({told(error)}). The others' jobs go on.")
        found = self.run_one_by_one(begun, 1)
        rest = [job for job in jobs if job not in begun]
        return {**found, **self.run_together(rest)} if rest else found

    def run_alone(self, job: Job) -> Outcome:
        """Give the launcher a job; once more if its process dies, for want of memory or with its node."""
        for last in (False, True):
            try:
                return outcomes([job], self.launch([job]))[job.name]
            except Exception as error:
                if self.attempts.stopping():
                    break
                if not self.attempts.has_begun(job.name):
                    raise not_started(error) from error
                if last:
                    return Outcome("failed", f"its process died twice: {told(error)}")
                errors.print(f"The process of {job.name} died ({told(error)}). It goes on.")
        return Outcome("stopped")


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
        if free := [job for job in left if folder.run(job).state().name != "running"]:
            found = launching.run(free)
            settled |= {job: came for job, came in found.items() if came.did not in ("elsewhere", "stopped")}
            continue
        if not waited:
            names = ", ".join(job.name for job in left)
            waits = f"Waiting for other processes, which are at {names}. Ctrl-C leaves it to them."
            console.print(waits)
            waited = True
        time.sleep(POLL)
    return settled


Work = TypeVar("Work")
Came = TypeVar("Came")


def fill(
    places: int,
    take: Callable[[int], Sequence[Work]],
    run: Callable[[Work], Came],
    tell: Callable[[Work, Came], None],
) -> None:
    """Keep places busy: each that becomes free gets the next piece of work, whatever the others are at.

    Args:
        places: how many pieces of work run at the same time. With one, all happens in this thread; with
            several each has a thread, and ``take`` and ``tell`` are called in this one.
        take: returns at most so many pieces of work as it is given; none where there are none now. It is
            asked again while others run, each second at least.
        run: does a piece of work.
        tell: hears what came of it.

    Raises:
        Exception: what ``run`` raises, when what runs beside it has ended and was told.
    """
    if places == 1:
        while taken := take(1):
            tell(taken[0], run(taken[0]))
        return
    failure: BaseException | None = None
    running: dict[Future[Came], Work] = {}
    with ThreadPoolExecutor(places) as threads:
        while True:
            free = 0 if failure else places - len(running)
            running |= {threads.submit(run, work): work for work in (take(free) if free else ())}
            if not running:
                break
            for future in wait(running, timeout=POLL, return_when=FIRST_COMPLETED).done:
                work = running.pop(future)
                failure = future.exception() or failure
                if future.exception() is None:
                    tell(work, future.result())
    if failure:
        raise failure


def not_started(error: Exception) -> RnnlabError:
    """Return the error of a launcher that starts nothing."""
    return RnnlabError(f"The launcher could not start the jobs: {told(error)}")


def outcomes(jobs: Sequence[Job], returned: Sequence[Any]) -> dict[str, Outcome]:
    """Return what the jobs' processes returned, by the jobs' names."""
    return {job.name: result.return_value for job, result in zip(jobs, returned, strict=True)}


def told(error: BaseException) -> str:
    """Return an error in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 300 else f"{text[:300]}..."

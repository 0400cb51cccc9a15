"""What a sweep needs of Hydra: configurations composed, and launchers of several jobs at once."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from rnnlab.errors import ConfigError, RnnlabError
from rnnlab.sweeps.attempts import Attempts
from rnnlab.sweeps.job import Outcome, SweepJob
from rnnlab.sweeps.jobs import Job
from rnnlab.terminal import errors
from rnnlab.unknown_choice import unknown_choice

DEFAULTS: dict[str, dict[str, Any]] = {
    # Jobs take minutes: none waits in another's line.
    "JoblibLauncher": {"batch_size": "1", "pre_dispatch": "n_jobs"},
    "LocalLauncher": {"timeout_min": 7 * 24 * 60},
    # A job that runs out of time goes on in a new one.
    "SlurmLauncher": {"timeout_min": 24 * 60, "max_num_timeout": 3},
}
"""What suits trainings better than launchers' own defaults, such as submitit's end after an hour."""

Launch = Callable[[Sequence[Job]], Sequence[Any]]
"""Runs the jobs and returns, for each in order, what Hydra's launchers return (a ``JobReturn``)."""


@dataclass
class HydraSide:
    """What Hydra gives a sweeper.

    Attributes:
        context: composes configurations.
        config: of the command without its swept keys.
        task: trains one run, see :func:`rnnlab.command_line.run_hydra`.
    """

    context: HydraContext
    config: DictConfig
    task: TaskFunction

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
        """Return whether a key chooses among configuration files."""
        return bool(self.context.config_loader.get_group_options(key.lstrip("+~").split("@")[0]))

    def compose(self, job: Job) -> dict[str, Any]:
        """Return the resolved configuration of a job, as plain data.

        Raises:
            ConfigError: if it can't be composed; the cause is Hydra's error.
        """
        try:
            found = self.context.config_loader.load_sweep_config(self.config, list(job.words))
            with open_dict(found):
                del found["hydra"]
            content: Any = OmegaConf.to_container(found, resolve=True, throw_on_missing=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(first_words(error)) from error
        return dict(content)

    def lie_in(self, folder: Path) -> None:
        """Let the launcher's jobs lie in ``folder``."""
        self.config.hydra.sweep.dir = str(folder)
        self.config.hydra.overrides.hydra.append(f"hydra.sweep.dir={in_quotes(str(folder))}")

    def launcher(self, task: SweepJob) -> Launch:
        """Return the launcher that the configuration names, which runs ``task`` for each job."""
        take_defaults(self.config)
        launcher = Plugins.instance().instantiate_launcher(self.context, task, self.config)
        launched = 0

        def launch(jobs: Sequence[Job]) -> Sequence[Any]:
            nonlocal launched
            words = [[*job.words, f"hydra.sweep.subdir={in_quotes(job.name)}"] for job in jobs]
            first, launched = launched, launched + len(jobs)
            return launcher.launch(words, initial_job_idx=first)

        return launch


def in_quotes(text: str) -> str:
    """Return a text as Hydra reads it to the letter."""
    return QuotedString(text, Quote.single).with_quotes()


def take_defaults(config: DictConfig) -> None:
    """Give the launcher rnnlab's defaults where the command does not say otherwise."""
    kind = str(config.hydra.launcher._target_).rpartition(".")[2]
    said = {str(line).partition("=")[0] for line in config.hydra.overrides.hydra}
    for name, value in DEFAULTS.get(kind, {}).items():
        if f"hydra.launcher.{name}" not in said:
            config.hydra.launcher[name] = value


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

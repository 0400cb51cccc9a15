"""What a sweep needs of Hydra: configurations composed, and a launcher."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from rnnlab.errors import ConfigError
from rnnlab.sweeps.job import SweepJob
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.launching import Launch
from rnnlab.unknown_choice import unknown_choice

DEFAULTS: dict[str, dict[str, Any]] = {
    # Jobs take minutes: none waits in another's line.
    "JoblibLauncher": {"batch_size": "1", "pre_dispatch": "n_jobs"},
    "LocalLauncher": {"timeout_min": 7 * 24 * 60},
    # A job that runs out of time goes on in a new one.
    "SlurmLauncher": {"timeout_min": 24 * 60, "max_num_timeout": 3},
}
"""What suits trainings better than launchers' own defaults, such as submitit's end after an hour."""


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
        text = QuotedString(str(folder), Quote.single).with_quotes()
        self.config.hydra.sweep.dir = str(folder)
        self.config.hydra.overrides.hydra.append(f"hydra.sweep.dir={text}")

    def launcher(self, task: SweepJob) -> Launch:
        """Return the launcher that the configuration names, which runs ``task`` for each job."""
        take_defaults(self.config)
        launcher = Plugins.instance().instantiate_launcher(self.context, task, self.config)
        launched = 0

        def launch(jobs: Sequence[Job]) -> Sequence[Any]:
            nonlocal launched
            words = [[*job.words, f"hydra.sweep.subdir={job.name}"] for job in jobs]
            first, launched = launched, launched + len(jobs)
            return launcher.launch(words, initial_job_idx=first)

        return launch


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

"""The jobs of a sweep: which there are, and the configuration of each."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnnlab.errors import ConfigError
from rnnlab.sweeps.overrides import Overrides, Setting, job_name, values_of

NOT_OF_THE_RUN = ("hydra", "sweep", "resume", "trust", "tags")
"""Sections of a composed configuration that say how a run is started, not what it computes."""


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        name: of its folder.
        words: its overrides, as Hydra reads them.
        trial: its number in a search.
    """

    name: str
    words: tuple[str, ...]
    trial: int | None = None


@dataclass
class Composed:
    """What the jobs' overrides compose to.

    Attributes:
        configs: the configuration of each job by its name; resolved, plain data.
        refused: why a job can't be composed, by its name.
    """

    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def renamed(self, names: Mapping[str, str]) -> "Composed":
        """Return the same by other names of the jobs."""
        return Composed(
            {names[name]: config for name, config in self.configs.items()},
            {names[name]: why for name, why in self.refused.items()},
        )


def grid(overrides: Overrides) -> list[Job]:
    """Return a job for every combination of the swept keys' values, the last key's changing fastest.

    Raises:
        ConfigError: if a key has no values, or the same value twice.
    """
    fixed = overrides.fixed_words()
    keys = overrides.swept_keys()
    jobs: dict[str, Job] = {}
    for values in itertools.product(*map(values_of, overrides.swept)):
        settings: list[Setting] = [(key, value) for key, (value, _) in zip(keys, values, strict=True)]
        words = [f"{key}={text}" for key, (_, text) in zip(keys, values, strict=True)]
        job = Job(job_name(settings), (*fixed, *words))
        if job.name in jobs:
            raise twice(words, jobs[job.name].words[len(fixed) :])
        jobs[job.name] = job
    return list(jobs.values())


def twice(words: Sequence[str], earlier: Sequence[str]) -> ConfigError:
    """Return the error of two jobs that are one."""
    of_first = [word for word in earlier if word not in words] or earlier
    of_second = [word for word in words if word not in earlier] or words
    return ConfigError(
        f"This sweep has the same job twice: {' '.join(of_first)}, and again {' '.join(of_second)}. "
        "Leave one out."
    )


def composed(
    jobs: Sequence[Job], compose: Callable[[Job], dict[str, Any]], launcher: Mapping[str, Any]
) -> Composed:
    """Compose every job.

    Args:
        jobs: of the sweep.
        compose: returns a job's resolved configuration, or raises ``ConfigError``.
        launcher: the configuration of Hydra's launcher.

    Raises:
        ConfigError: if two jobs have the same configuration, or none can be composed.
    """
    found = Composed()
    first: ConfigError | None = None
    for job in jobs:
        try:
            config = compose(job)
            check_processes(config.get("trainer", {}), launcher)
            found.configs[job.name] = of_the_run(config)
        except ConfigError as error:
            found.refused[job.name], first = str(error), first or error
    if first is not None and not found.configs:
        raise ConfigError("\n".join(dict.fromkeys(found.refused.values()))) from first
    alike: dict[str, Job] = {}
    for job in jobs:
        if job.name in found.configs:
            earlier = alike.setdefault(repr(found.configs[job.name]), job)
            if earlier is not job:
                raise twice(job.words, earlier.words)
    return found


STARTED_BY = {"devices": "tasks_per_node", "num_nodes": "nodes"}
"""What SLURM's launcher calls what the Trainer calls its devices, a process each, and its machines."""


def check_processes(trainer: Mapping[str, Any], launcher: Mapping[str, Any]) -> None:
    """Check that a job has as many processes as its launcher starts for it.

    Lightning would start the others by the command line, and a sweep's starts the whole sweep.

    Args:
        trainer: the configuration's section.
        launcher: the configuration of Hydra's launcher.

    Raises:
        ConfigError: if it asks for other numbers of devices or nodes.
    """
    is_slurm = str(launcher.get("_target_", "")).endswith(".SlurmLauncher")
    for key, name in STARTED_BY.items():
        asked, started = trainer.get(key, 1), launcher.get(name, 1) if is_slurm else 1
        if count_of(asked) == started:
            continue
        if is_slurm:
            raise ConfigError(
                f"trainer.{key}={asked}, hydra.launcher.{name}={started}: SLURM starts a process for each "
                f"of a job's devices. Give both the same number."
            )
        raise ConfigError(
            f"trainer.{key}={asked}: a sweep's jobs take one device each, but on SLURM. Start the runs one "
            "by one, or take trainer.devices=1 and several jobs at once (hydra/launcher=joblib)."
        )


def count_of(asked: Any) -> int:
    """Return how many devices or nodes a Trainer is asked for; one where only the machine can tell.

    >>> count_of(4), count_of("0,1"), count_of([2]), count_of("auto"), count_of(-1)
    (4, 2, 1, 1, 1)
    """
    named = asked if isinstance(asked, list) else [part for part in str(asked).split(",") if part]
    if len(named) == 1 and not isinstance(asked, list) and str(asked).isdigit():
        return int(asked)
    return max(1, len(named))


def of_the_run(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without the sections that say only how the run is started."""
    return {key: section for key, section in config.items() if key not in NOT_OF_THE_RUN}

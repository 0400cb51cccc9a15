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


def composed(jobs: Sequence[Job], compose: Callable[[Job], dict[str, Any]]) -> Composed:
    """Compose every job.

    Args:
        jobs: of the sweep.
        compose: returns a job's resolved configuration, or raises ``ConfigError``.

    Raises:
        ConfigError: if two jobs have the same configuration, or none can be composed.
    """
    found = Composed()
    first: ConfigError | None = None
    for job in jobs:
        try:
            config = compose(job)
            check_one_process(config.get("trainer", {}))
            found.configs[job.name] = of_the_run(config)
        except ConfigError as error:
            found.refused[job.name], first = str(error), first or error
    if first is not None and not found.configs:
        raise ConfigError("\n".join(dict.fromkeys(found.refused.values()))) from first
    check_different([job for job in jobs if job.name in found.configs], found.configs)
    return found


def check_one_process(trainer: Mapping[str, Any]) -> None:
    """Check that a job runs in the process that it is given.

    Lightning starts the others by the command line, and a sweep's would start the whole sweep.

    Args:
        trainer: the configuration's section.

    Raises:
        ConfigError: if it asks for several devices or nodes.
    """
    for key in ("devices", "num_nodes"):
        asked = trainer.get(key, 1)
        named = asked if isinstance(asked, list) else [part for part in str(asked).split(",") if part]
        if len(named) > 1 or (not isinstance(asked, list) and str(asked).isdigit() and int(asked) > 1):
            raise ConfigError(
                f"trainer.{key}={asked}: a sweep's jobs take one device each. Start the runs one by one, "
                "or take trainer.devices=1 and several jobs at once (hydra/launcher=joblib)."
            )


def of_the_run(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without the sections that say only how the run is started."""
    return {key: section for key, section in config.items() if key not in NOT_OF_THE_RUN}


def check_different(jobs: Sequence[Job], configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that no two jobs compute the same.

    Raises:
        ConfigError: naming the first two that do.
    """
    seen: dict[str, Job] = {}
    for job in jobs:
        content = repr(configs[job.name])
        if content in seen:
            raise twice(job.words, seen[content].words)
        seen[content] = job

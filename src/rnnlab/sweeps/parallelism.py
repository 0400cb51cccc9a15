"""How many jobs run at the same time, and with how many threads each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnlab.errors import ConfigError
from rnnlab.processors import processors, share


@dataclass(frozen=True)
class Together:
    """How jobs run side by side.

    Attributes:
        places: jobs that run at the same time.
        one_by_one: whether the launcher is given each job by itself, as soon as a place is free for it; it is
            given all together where it keeps its own places busy, as SLURM does with an array of jobs. What
            a launcher returns of a job holds its configuration, a fifth of a megabyte.
        threads: of each job; ``None`` to leave them as they are.
    """

    places: int
    one_by_one: bool
    threads: int | None


def together(launcher: Mapping[str, Any], settings: Mapping[str, Any], jobs: int) -> Together:
    """Return how ``jobs`` jobs run side by side.

    Args:
        launcher: the configuration of Hydra's launcher.
        settings: the section ``sweep``, of which ``at_once`` and ``threads`` come first.
        jobs: how many there are to run.

    Raises:
        ConfigError: if several are to run at once by a launcher that runs one after the other.
    """
    kind = str(launcher["_target_"]).rpartition(".")[2]
    if kind == "BasicLauncher" and (settings["at_once"] or 1) > 1:
        raise ConfigError(
            f"sweep.at_once={settings['at_once']}: this launcher runs one job after the other. "
            "hydra/launcher=joblib runs several."
        )
    limit = settings["at_once"] or limit_of(kind, launcher)
    places = max(1, min(limit, jobs))
    shares_processors = kind in ("JoblibLauncher", "LocalLauncher")
    one_by_one = shares_processors or kind == "BasicLauncher" or settings["at_once"] is not None
    threads = settings["threads"] or (share(places) if shares_processors else None)
    return Together(places, one_by_one, threads)


def limit_of(kind: str, launcher: Mapping[str, Any]) -> int:
    """Return how many jobs a launcher runs at the same time by itself.

    Args:
        kind: the name of its class.
        launcher: its configuration.
    """
    if kind == "JoblibLauncher":
        wanted = int(launcher.get("n_jobs", -1))
        return wanted if wanted > 0 else max(1, processors() + 1 + wanted)
    if kind == "LocalLauncher":
        return max(1, processors() // (launcher.get("cpus_per_task") or 1))
    if kind == "SlurmLauncher":
        return int(launcher.get("array_parallelism") or 1)
    if kind == "RayLauncher":
        needs = launcher.get("ray", {}).get("remote", {}).get("num_cpus") or 1
        return max(1, int(processors() // needs))
    return 1

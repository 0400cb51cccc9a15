"""How many jobs a launcher runs at the same time, and what each of them may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnlab.sweeps.threads import processors, share


@dataclass(frozen=True)
class Together:
    """How jobs run side by side.

    Attributes:
        at_once: jobs that run at the same time.
        hand_over: jobs that the launcher is given together; ``None`` for all.
        threads: of each job; ``None`` to leave them as they are.
    """

    at_once: int
    hand_over: int | None
    threads: int | None


def together(launcher: Mapping[str, Any], settings: Mapping[str, Any], jobs: int) -> Together:
    """Return how ``jobs`` jobs run side by side.

    Args:
        launcher: the configuration of Hydra's launcher.
        settings: the section ``sweep``, of which ``at_once`` and ``threads`` come first.
        jobs: how many there are to run.
    """
    kind = str(launcher["_target_"]).rpartition(".")[2]
    limit = settings["at_once"] or limit_of(kind, launcher)
    at_once = max(1, min(limit, jobs))
    # submitit_local alone begins all that it is given at the same time.
    hand_over = limit if kind == "LocalLauncher" else settings["at_once"]
    shares_processors = kind in ("JoblibLauncher", "LocalLauncher")
    threads = settings["threads"] or (share(at_once) if shares_processors else None)
    return Together(at_once, hand_over, threads)


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

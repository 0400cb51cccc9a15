"""What is to be done about a job, as its run folder tells."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rnnlab.command_line import differences
from rnnlab.errors import RunError
from rnnlab.sweeps.jobs import of_the_run
from rnnlab.training.resume import at
from rnnlab.training.run_folder import RunFolder


@dataclass(frozen=True)
class Standing:
    """What is to be done about a job.

    Attributes:
        do: ``nothing`` (it is finished), ``wait`` (a process is at it), ``resume`` (there is a checkpoint to
            go on from), ``start`` (anew), or ``leave`` (what lies there can't be gone on with).
        why: the reason for leaving it.
    """

    do: Literal["nothing", "wait", "resume", "start", "leave"]
    why: str = ""


def standing(
    folder: RunFolder, config: Mapping[str, Any], *, failed_before: float, owner: bool = False
) -> Standing:
    """Return what is to be done about a job.

    Args:
        folder: the job's.
        config: what the job's overrides compose to.
        failed_before: when this invocation began, in seconds since 1970: a run that failed earlier is tried
            again, one that failed since then (in another invocation of the same sweep) is not.
        owner: whether this process holds the run's lock.
    """
    state = folder.state(owner=owner)
    if state.name == "running":
        return Standing("wait", state.reason)
    if not folder.config_file.exists():
        if state.name == "failed" and folder.error_file.stat().st_mtime > failed_before:
            return Standing("leave", state.reason)
        return Standing("start")
    try:
        stored = of_the_run(folder.config())
    except RunError as error:
        return Standing("leave", f"{error} sweep.restart=true starts over.")
    changed = list(differences(of_the_run(config), stored))
    if changed:
        return Standing("leave", other_configuration(changed, config, stored))
    if state.name == "finished":
        return Standing("nothing")
    if state.name == "failed" and folder.error_file.stat().st_mtime > failed_before:
        return Standing("leave", state.reason)
    return Standing("resume" if folder.last.is_file() or folder.previous.is_file() else "start")


def other_configuration(changed: list[str], config: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    """Return the sentence about a run that was started with another configuration."""
    listed = ", ".join(f"{key} was {at(stored, key)} and is now {at(config, key)}" for key in changed)
    return f"its run was started with another configuration ({listed}). Start over with sweep.restart=true."


def clear(folder: RunFolder) -> None:
    """Remove what a run left that never came to a checkpoint; its log and its lock stay."""
    for path in folder.path.iterdir():
        if path == folder.lock_file or path.suffix == ".log":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

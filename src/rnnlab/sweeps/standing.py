"""What is to be done about a job, as its run folder tells."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rnnlab.command_line import differences
from rnnlab.errors import DamagedFileError, RunError
from rnnlab.sweeps.jobs import of_the_run
from rnnlab.training.resume import at
from rnnlab.training.run_folder import RunFolder

ADOPTED = ("model", "task", "tokenizer")
"""Sections of which ``init_from`` decides what the command does not say."""


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
        stored = folder.config()
    except RunError as error:
        return Standing("leave", f"{error} sweep.restart=true starts over.")
    changed = list(differences(as_composed(config), as_composed(stored)))
    if changed:
        return Standing("leave", other_configuration(changed, config, stored))
    if state.name == "finished":
        try:
            folder.metrics()
        except DamagedFileError as error:
            return Standing("leave", str(error))
        return Standing("nothing")
    if state.name == "failed" and folder.error_file.stat().st_mtime > failed_before:
        return Standing("leave", state.reason)
    return Standing("resume" if folder.last.is_file() or folder.previous.is_file() else "start")


def as_composed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's overrides compose to: less what it took over from the run that it starts from."""
    taken_over = ADOPTED if config.get("init_from") else ()
    return {name: section for name, section in of_the_run(config).items() if name not in taken_over}


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

"""What has become of a run, as its folder tells: nothing here needs torch.

One process at a time works on a run: a lock that the system itself frees when its owner dies.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from rnnlab.errors import DamagedFileError, RunError
from rnnlab.files.bounded import glimpse

if TYPE_CHECKING:
    from rnnlab.training.run_folder import RunFolder


# Whoever only looks holds the lock for an instant; a run that begins waits that out.
PATIENCE = 3.0

_held_here: set[Path] = set()


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold ``lock``; a process that holds it already may do so again.

    Raises:
        RunError: if another process holds it.
    """
    place = lock.resolve()
    if place in _held_here:
        yield
        return
    owner = by_whom(lock)  # older versions of filelock empty a file that they try
    owned = FileLock(lock, timeout=PATIENCE)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        owned.acquire()
    except Timeout:
        raise RunError(
            f"{lock.parent} is being worked on{owner}. Two processes can't go on with one run: "
            "wait for it, or stop it first."
        ) from None
    except (OSError, NotImplementedError) as error:
        why = getattr(error, "strerror", None) or error
        raise RunError(f"{lock} can't be locked ({why}): it must be a file, on a disk with locks.") from error
    _held_here.add(place)
    try:
        lock.write_text(f"{os.getpid()} {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        _held_here.discard(place)
        owned.release()


def is_held(lock: Path) -> bool:
    """Return whether a living process, this one included, holds ``lock``."""
    if lock.resolve() in _held_here:
        return True
    if not lock.is_file():
        return False
    probe = FileLock(lock, timeout=0)
    try:
        with probe:
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # a read-only copy of a run, or no locks: nobody works on it
        return False


def by_whom(lock: Path) -> str:
    """Return `` by process 4711 on HOST`` where the owner has left its name."""
    with suppress(ValueError):
        process, host = glimpse(lock, 1000).split()
        return f" by process {process} on {host}"
    return ""


StateName = Literal["finished", "running", "interrupted", "failed", "empty"]


@dataclass(frozen=True)
class RunState:
    """What has become of a run.

    Attributes:
        name: ``finished`` (its figures are there), ``running`` (a living process holds its ``run.lock``),
            ``failed`` (an error ended it), ``interrupted`` (a checkpoint to go on from, nobody running), or
            ``empty`` (nothing to go on from).
        reason: why it failed, or who is running it; empty elsewhere.
        epoch: epochs finished at its last checkpoint, ``None`` where it has none.
        step: optimizer steps done at its last checkpoint, ``None`` where it has none.
    """

    name: StateName
    reason: str = ""
    epoch: int | None = None
    step: int | None = None


def state_of(folder: RunFolder, *, owner: bool = False) -> RunState:
    """Return what has become of the run in ``folder``; ``empty`` where there is none.

    Args:
        folder: the run's folder.
        owner: whether this process holds the run's lock itself and asks what was left behind.
    """
    progress = progress_of(folder)
    epoch, step = progress.get("epoch"), progress.get("step")
    who = by_whom(folder.lock_file).strip()
    if not owner and is_held(folder.lock_file):
        return RunState("running", who, epoch, step)
    if folder.metrics_file.exists():
        return RunState("finished", "", epoch, step)
    if folder.error_file.is_file():
        return RunState("failed", glimpse(folder.error_file).strip(), epoch, step)
    if folder.last.is_file() or folder.previous.is_file():
        return RunState("interrupted", "", epoch, step)
    return RunState("empty")


def progress_of(folder: RunFolder) -> dict[str, Any]:
    """Return what the run wrote beside its last checkpoint, empty where it has none.

    ``epoch``, ``step``, ``seconds`` (of all its processes so far) and, once there is a best checkpoint,
    ``best``: the validation metrics of it. Of a damaged file nothing is known: the checkpoint counts.
    """
    try:
        return folder.progress()
    except DamagedFileError:
        return {}

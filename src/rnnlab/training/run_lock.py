"""One process at a time works on a run: a lock that the system itself frees when its owner dies."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rnnlab.errors import RunError
from rnnlab.files.bounded import glimpse

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

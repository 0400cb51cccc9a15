"""Write beside, then rename: a file is either whole or not there."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rnnlab.shortage import told_when_short

UNFINISHED = ".unfinished"
ROOM = re.compile(rf"\..*\.\w{{8}}{re.escape(UNFINISHED)}")
"""What the folders are called in which something is being written."""
LOCK = ".lock"
FRESH = 60.0
"""Seconds in which such a folder may still be without its lock."""


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; on success it becomes ``target`` in one step.

    On any error, Ctrl-C included, the unfinished file (or folder) is removed and ``target`` is untouched.
    The yielded path does not exist yet: make a file or a folder of it. A file outlasts a power failure: it
    is on the disk before it gets its name. What processes that were killed had begun to write in the same
    folder is removed first.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    with told_when_short(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_left_behind(target.parent)
        with room_beside(target) as room:
            unfinished = room / target.name
            yield unfinished
            if unfinished.is_file():
                force_to_disk(unfinished)
            unfinished.replace(target)
            force_to_disk(target.parent)


@contextmanager
def room_beside(target: Path) -> Iterator[Path]:
    """Yield a new folder beside ``target``, which is removed in the end.

    While this process lives it holds a lock in there, so that others know that it is in use.
    """
    room = Path(tempfile.mkdtemp(UNFINISHED, f".{target.name[:200]}.", target.parent))
    lock = FileLock(room / LOCK)
    with suppress(OSError, NotImplementedError):  # a disk without locks: then nobody else removes it either
        lock.acquire()
    try:
        yield room
    finally:
        lock.release()
        shutil.rmtree(room, ignore_errors=True)


def remove_left_behind(folder: Path, *, below: bool = False) -> None:
    """Remove what processes that were killed had begun to write, and no living one holds.

    Args:
        folder: where it lies.
        below: whether folders in it are looked into, too; links are not followed.
    """
    for place, folders, _ in os.walk(folder):
        rooms = [name for name in folders if ROOM.fullmatch(name)]
        for room in rooms:
            remove_if_dead(Path(place) / room)
        folders[:] = [name for name in folders if name not in rooms] if below else []


def remove_if_dead(room: Path) -> None:
    """Remove an unfinished folder that no living process holds; where that can't be told, leave it."""
    with suppress(OSError, Timeout, NotImplementedError):
        if not (room / LOCK).is_file():
            if time.time() - room.stat().st_mtime > FRESH:
                room.rmdir()
            return
        with FileLock(room / LOCK, timeout=0):
            shutil.rmtree(room, ignore_errors=True)


def force_to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk.

    Raises:
        OSError: if a file's content can't be written.
    """
    # Some systems, and some shared disks, can't do it for a folder; then nothing more can be done.
    with suppress(OSError) if path.is_dir() else nullcontext():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` as UTF-8, whole or not at all; half a surrogate pair as its escape."""
    with written_beside(target) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")

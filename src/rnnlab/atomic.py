"""Write beside, then rename: a file is either whole or not there."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from rnnlab.errors import RnnlabError


@contextmanager
def told_when_full(where: Path) -> Iterator[None]:
    """Turn 'no space left' and 'no permission' into an error that names the place.

    Raises:
        RnnlabError: if the disk or the quota is full, or ``where`` can't be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RnnlabError(
                f"The disk is full: could not write {where}. Nothing half-written was left behind. "
                "Free some space, or name another place: RNNLAB_CACHE_DIR for caches, hydra.run.dir for runs."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise RnnlabError(
                f"No permission to write {where}. Name another place "
                "(RNNLAB_CACHE_DIR for caches, hydra.run.dir for runs)."
            ) from error
        raise


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; on success it becomes ``target`` in one step.

    On any error, Ctrl-C included, the unfinished file (or folder) is removed and ``target`` is untouched.
    The yielded path does not exist yet: make a file or a folder of it. A file outlasts a power failure: it
    is on the disk before it gets its name.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    with told_when_full(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            unfinished = room / target.name
            yield unfinished
            if unfinished.is_file():
                force_to_disk(unfinished)
            unfinished.replace(target)
            force_to_disk(target.parent)
        finally:
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

"""Write beside, then rename: a file is either whole or not there."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    The yielded path does not exist yet: make a file or a folder of it.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    with told_when_full(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            unfinished = room / target.name
            yield unfinished
            unfinished.replace(target)
        finally:
            shutil.rmtree(room, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` as UTF-8, whole or not at all."""
    with written_beside(target) as unfinished:
        unfinished.write_text(text, encoding="utf-8")

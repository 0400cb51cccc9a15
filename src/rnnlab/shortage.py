"""What the machine is short of, or will not let be written: one door for all errors that say so.

They come from Python, PyTorch, SQLite and others, each in words of its own, often wrapped in another error.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnnlab.errors import RnnlabError

ELSEWHERE = "name another place (RNNLAB_CACHE_DIR for caches, hydra.run.dir for runs)"
MEMORY = (
    "There is not enough memory{}. Make the batches or the network smaller (batches.batch_size, "
    "model.hidden_size), or let other programs end."
)
FILES = "Too many files are open at once{}. Raise the limit (ulimit -n)."
FULL = (
    "The disk is full: could not write{}. Nothing half-written was left behind. Free some space, or name "
    "another place: RNNLAB_CACHE_DIR for caches, hydra.run.dir for runs."
)
NOT_ALLOWED = f"No permission to write{{}}. Change that, or {ELSEWHERE}."
NO_SUCH_PLACE = (
    "Can't write{}: the path leads through a file, or a folder is where a file should be, or a file where a "
    "folder should be. Name another place."
)
SAYINGS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL.replace("The disk is full", "The disk quota is used up"),
    errno.EFBIG: "The limit on a file's size is reached (ulimit -f): could not write{}.",
    errno.EMFILE: FILES,
    errno.ENFILE: FILES,
    errno.ENOMEM: MEMORY,
    errno.EAGAIN: "No further thread or process can be started{}. Raise the limit (ulimit -u).",
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
    errno.EROFS: NOT_ALLOWED.replace("No permission to write", "The disk is read-only: can't write"),
    errno.ENOTDIR: NO_SUCH_PLACE,
    errno.EISDIR: NO_SUCH_PLACE,
    errno.EEXIST: NO_SUCH_PLACE,
    errno.ENAMETOOLONG: "A name is longer than the disk allows{}. Name a shorter one.",
    errno.ELOOP: "Links go round in a circle{}.",
    errno.ENOLCK: f"The disk has no locks{{}}: {ELSEWHERE}.",
    errno.EIO: "The disk has failed{}. Look at the system's log.",
    errno.ESTALE: "The shared disk has lost a file{}. Try again.",
}
"""What is said of an error of the system, with the place put in."""
WORDS = {
    r"(can't|cannot|Cannot) allocate memory|out of memory|bad_alloc|failed to map segment": errno.ENOMEM,
    r"[Tt]oo many open files": errno.EMFILE,
    r"can't start new thread|Resource temporarily unavailable": errno.EAGAIN,
    r"No space left on device|database or disk is full": errno.ENOSPC,
    r"readonly database": errno.EROFS,
    r"[Ff]ile too large": errno.EFBIG,
    r"does not appear to support flock": errno.ENOLCK,
}
"""Of errors that have no number."""
NUMBERED = re.compile(r"\(os error (\d+)\)")  # what libraries in Rust write


def shortage(error: BaseException, where: Path | None = None) -> str | None:
    """Return what the machine lacks, and what to do; ``None`` where an error is about something else.

    Args:
        error: whatever was raised; what it came of is looked at, too.
        where: what was to be written, for errors that don't name it.
    """
    link: BaseException | None = error
    seen: list[BaseException] = []  # Hydra raises errors that came of themselves
    while link is not None and link not in seen:
        seen.append(link)
        number = number_of(link)
        if number in SAYINGS:
            named = getattr(link, "filename", None)
            place = where if where is not None and number in WHOLE else (named or where)
            return SAYINGS[number].format(f" {place}" if place else "")
        link = link.__cause__ or link.__context__
    return None


WHOLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Of these the whole of what was to be written is named, not the unfinished part."""


def number_of(error: BaseException) -> int | None:
    """Return the system's number of an error, ``None`` where it has none."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, RnnlabError):
        return None
    text = str(error)
    numbered = NUMBERED.search(text)
    if numbered:
        return int(numbered[1])
    return next((number for words, number in WORDS.items() if re.search(words, text)), None)


@contextmanager
def told_when_short(where: Path | None = None) -> Iterator[None]:
    """Turn an error about what the machine lacks, to write to a place, into one for people.

    Raises:
        RnnlabError: naming what is lacking, and the place.
    """
    try:
        yield
    except RnnlabError:
        raise
    except Exception as error:
        told = shortage(error, where)
        if told is None:
            raise
        raise RnnlabError(told) from error

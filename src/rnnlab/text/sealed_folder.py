"""A folder that tells whether it is whole, by a manifest of the sizes and checksums of its files.

What is computed once is kept in such a folder, and made again where it was damaged.
"""

import errno
import json
import logging
import re
import stat
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from rnnlab.atomic import room_beside, written_beside
from rnnlab.errors import DamagedFileError, RnnlabError
from rnnlab.files.bounded import is_name
from rnnlab.files.plain_file import read_json
from rnnlab.folders import cache_folder

_MANIFEST = "manifest.json"
_CHUNK = 1 << 22
_TRIES = 3

Opened = TypeVar("Opened")

_log = logging.getLogger(__name__)


def kept(
    kind: str,
    name: str,
    key: str,
    opened: Callable[[Path], Opened],
    write: Callable[[Path], None],
    what: str,
) -> Opened:
    """Return what a folder of the cache holds, which is written first where it is not there or damaged.

    A damaged one is replaced, with a warning in the log. Several processes may ask at once.

    Args:
        kind: the folder of the cache in which such folders lie.
        name: of what it was made of, for people.
        key: a digest of all that decides its content.
        opened: opens it; raises what a damaged file makes of it.
        write: writes all of it into an empty folder.
        what: is kept, for the warning: ``The encoded corpus``.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    folder = cache_folder() / kind / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)}-{key[:20]}"
    for _ in range(_TRIES):
        reason = damage(folder)
        if reason is None:
            try:
                return opened(folder)
            except FileNotFoundError as error:
                reason = f"{Path(error.filename).name} is missing"
            except (RnnlabError, ValueError, LookupError, TypeError) as error:
                reason = str(error)
        if reason:
            _log.warning("%s in %s is damaged (%s) and is made again.", what, folder, reason)
        _build(folder, opened, write)
    raise RnnlabError(f"{folder} is damaged again as soon as it is written. Is the disk sound?")


def _build(folder: Path, opened: Callable[[Path], object], write: Callable[[Path], None]) -> None:
    try:
        with written_beside(folder) as unfinished:
            unfinished.mkdir()
            write(unfinished)
            seal(unfinished)
            _make_way(folder, opened)
    except OSError as error:
        # A folder can't be put where one is: then another process was first, and what it made will serve.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _make_way(folder: Path, opened: Callable[[Path], object]) -> None:
    """Remove a damaged folder, in one step for all who look; leave a whole one."""
    reason = damage(folder)
    if reason is None:
        with suppress(RnnlabError, OSError, ValueError, LookupError, TypeError):
            opened(folder)
            return
    if reason != "":
        with room_beside(folder) as aside, suppress(FileNotFoundError):
            folder.replace(aside / folder.name)


def seal(folder: Path) -> None:
    """Write down the size and checksum (CRC-32) of every file in ``folder``, which must be complete."""
    files = {path.name: _facts(path) for path in sorted(folder.iterdir())}
    (folder / _MANIFEST).write_text(json.dumps(files, indent=1), encoding="utf-8")


def damage(folder: Path) -> str | None:
    """Return what is wrong with a sealed folder; empty where there is none, None where it is whole.

    Reads all of it, at the disk's speed.
    """
    if not folder.is_dir():
        return f"{folder.name} is no folder" if folder.exists() else ""
    try:
        files = read_json(folder / _MANIFEST, {str: {"bytes": int, "crc32": int}})
        for name, facts in files.items():
            if not is_name(name):
                return f"its {_MANIFEST} names {name[:80]!a}, which is no file of the folder"
            path = folder / name
            if not stat.S_ISREG(path.stat().st_mode) or path.stat().st_size != facts["bytes"]:
                return f"{name} was altered or cut short"
            if _facts(path) != facts:
                return f"{name} was altered or cut short"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, DamagedFileError) as error:
        return f"it can't be read ({error})"
    return None


def _facts(path: Path) -> dict[str, int]:
    crc, size = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    return {"bytes": size, "crc32": crc}

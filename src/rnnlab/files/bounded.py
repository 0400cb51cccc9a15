"""Bytes and text out of a file that may be anything: a folder, a pipe, a device, or far too large.

And names out of files, which may lead out of the folder that they belong to.
"""

import os
import stat
from pathlib import Path

from rnnlab.errors import DamagedFileError, RunError

LONGEST_NAME = 255
"""Bytes of a file's name: no usual disk takes more."""


def content_of(path: Path, largest: int, mend: str = "") -> bytes:
    """Return all of a file.

    Args:
        path: what is to be a plain file, or a link to one.
        largest: bytes that such a file can have.
        mend: a sentence on what to do if it is damaged.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: if it is a folder, a pipe or a device, larger, or can't be read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for whoever would write to it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise damaged(path, "it is no file" if not stat.S_ISDIR(facts.st_mode) else FOLDER, mend)
            content = file.read(largest + 1) if facts.st_size <= largest else b""
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise damaged(path, FOLDER, mend) from error
    except (OSError, ValueError) as error:
        raise damaged(path, f"it can't be read ({reason_of(error)})", mend) from error
    if max(facts.st_size, len(content)) > largest:
        size = max(facts.st_size, len(content))
        raise damaged(path, f"it has {size:,} bytes, and no such file more than {largest:,}", mend)
    return content


FOLDER = "it is a folder, not a file"


def text_of(path: Path, largest: int, mend: str = "") -> str:
    """Return all of a UTF-8 file; arguments and errors as :func:`content_of` has them.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: also if it is not UTF-8.
    """
    try:
        return content_of(path, largest, mend).decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(path, f"byte {error.start + 1} is not UTF-8", mend) from error


def glimpse(path: Path, largest: int = 1 << 14) -> str:
    """Return the end of a text that is only shown, such as a log; empty where nothing can be read.

    Args:
        path: the file.
        largest: bytes that are read of it at most.
    """
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - largest))
            return file.read(largest).decode("utf-8", errors="replace")
    except OSError:
        return ""


def is_name(text: object) -> bool:
    """Return whether a text from a file may be the name of another one beside it.

    >>> is_name("gru,seed=1"), is_name("../other"), is_name("/dev/zero"), is_name("")
    (True, False, False, False)
    """
    return (
        isinstance(text, str)
        and text not in ("", ".", "..")
        and not any(sign in text for sign in "/\\\0")
        and len(text.encode("utf-8", errors="replace")) <= LONGEST_NAME
    )


def leads_out(name: str) -> bool:
    r"""Return whether a path that a file names leads out of the folder that it belongs to.

    >>> [leads_out(name) for name in ("a/b.txt", "./a", "a..b", "../a", "a/../../b", "/a", "C:a", "a\\..\\b")]
    [False, False, False, True, True, True, True, True]
    """
    return (
        name[:1] in ("", "/", "\\")
        or name[1:2] == ":"
        or "\0" in name
        or (".." in name and ".." in name.replace("\\", "/").split("/"))
    )


def within(folder: Path, name: object, what: str) -> Path:
    """Return the place of a file whose name, or a part of it, came out of a file.

    Args:
        folder: where it must lie, or in a folder below that; a link there leads nowhere else.
        name: its path from there.
        what: what bears the name, for the error.

    Raises:
        RunError: if it leads out of the folder, or can't be the name of a file.
    """
    if not isinstance(name, str) or leads_out(name) or not is_path(name):
        raise RunError(
            f"{what} would be {str(name)[:100]!a}, which is no file in {folder}: a name was altered."
        )
    if not (folder / name).parent.resolve().is_relative_to(folder.resolve()):
        raise RunError(f"{what} would be {str(name)[:100]!a}, and a link there leads out of {folder}.")
    return folder / name


def is_path(name: str) -> bool:
    r"""Return whether a disk can bear the name.

    >>> is_path("a/b.txt"), is_path("a" * 300), is_path("\ud800")
    (True, False, False)
    """
    try:
        return all(len(os.fsencode(part)) <= LONGEST_NAME for part in name.split("/"))
    except UnicodeEncodeError:
        return False


def damaged(path: Path, reason: object, mend: str = "") -> DamagedFileError:
    """Return the error of a file that can't be used."""
    return DamagedFileError(f"{path} is damaged: {str(reason).rstrip('.')}.{' ' * bool(mend)}{mend}")


def reason_of(error: Exception) -> str:
    """Return the first line of what an error says."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (said.splitlines() or [type(error).__name__])[0]

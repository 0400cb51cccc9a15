"""Where data lies and where computed things go, and whether a name out of a file stays in its folder.

The data folder may be read-only: what rnnlab fetches or computes goes to the cache folder.
"""

import os
from pathlib import Path

from rnnlab.errors import ConfigError, RunError

LONGEST_NAME = 255
"""Bytes that the disks of all systems take."""


def data_folder() -> Path:
    """Return ``$RNNLAB_DATA_DIR``, else ``data`` in the checkout, else ``data`` in the working folder."""
    named = os.environ.get("RNNLAB_DATA_DIR")
    if named:
        return Path(named).expanduser().resolve()
    checkout = Path(__file__).resolve().parents[2]
    root = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return root / "data"


def cache_folder() -> Path:
    """Return ``$RNNLAB_CACHE_DIR``, else ``rnnlab`` in the user's cache folder. It need not exist yet."""
    named = os.environ.get("RNNLAB_CACHE_DIR")
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().resolve() / "rnnlab"


def conf_folder() -> Path:
    """Return ``conf`` in the checkout, the folder of configuration files.

    Raises:
        ConfigError: if there is none: rnnlab was installed from a wheel, which has no such files.
    """
    folder = Path(__file__).resolve().parents[2] / "conf"
    if not (folder / "train.yaml").is_file():
        raise ConfigError(
            "This rnnlab was installed without its configuration files. Clone it and pip install -e . there, "
            "or name the folder conf of a checkout."
        )
    return folder


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

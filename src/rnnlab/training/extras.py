"""Callbacks and loggers of one's own: entries of a section that name a class each."""

import inspect
import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from rnnlab.build import build, locate_class
from rnnlab.errors import ConfigError, nearest

Entry = TypeVar("Entry")


def check_keys(section: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Check that a section has no key that nothing reads.

    Raises:
        ConfigError: naming each unknown key with the nearest known ones.
    """
    unknown = [key for key in given if key not in known]
    if unknown:
        lines = [f"{section}.{key}: nothing reads this key. {nearest(key, known)}" for key in unknown]
        own = f"One of your own goes under extra: +{section}.extra.{unknown[0]}._target_=..."
        raise ConfigError("\n".join([*lines, own]))


def built_entries(
    section: str,
    entries: Mapping[str, Any] | None,
    kind: type[Entry],
    offered: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Entry]:
    """Return what the entries of ``extra`` describe.

    Args:
        section: of the configuration, for errors.
        entries: by a name of the user's choice: ``_target_``, a class of ``kind``, and its arguments; null
            for none.
        kind: Lightning's ``Callback`` or ``Logger``.
        offered: for each entry, arguments that its class gets where it takes them.

    Raises:
        ConfigError: if an entry names no such class, an argument is unknown, or a package is not installed.
    """
    found: list[Entry] = []
    for name, entry in (entries or {}).items():
        if entry is None:  # switched off on the command line
            continue
        where = f"{section}.extra.{name}"
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{where}={entry}: expected _target_, a {kind.__name__}, and its arguments.")
        try:
            takes = inspect.signature(locate_class(entry.get("_target_", ""), kind, where)).parameters
            own = (offered or {}).get(name, {})
            more = {key: value for key, value in own.items() if key in takes and key not in entry}
            found.append(build(entry, kind, where, **more))
        except ModuleNotFoundError as error:
            raise ConfigError(f"{where}: {needed(name, error)}") from error
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from error
    return found


def needed(name: str, error: ModuleNotFoundError) -> str:
    """Return what to install for an entry whose class lacks a package."""
    required = re.search(r"Requirement '([\w-]+)", str(error))  # as Lightning says it
    lacking = required[1] if required else (error.name or name).split(".")[0]
    return f"it needs a package that is not installed: pip install {lacking}"

"""Baselines are computed once for a corpus and kept in the cache folder."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.atomic import write_text, written_beside
from rnnlab.errors import DamagedFileError
from rnnlab.files.array_file import Kind, read_packed
from rnnlab.files.plain_file import NUMBER, read_json
from rnnlab.folders import cache_folder

log = logging.getLogger(__name__)

LONGEST = 300  # characters of a reason
Figures = dict[str, dict[str, float]]
Arrays = dict[str, npt.NDArray[Any]]


def had(name: str, compute: Callable[[], Figures]) -> Figures:
    """Return ``compute()``; nothing, with a note, where it fails: a run's own figures are worth more.

    Args:
        name: of the baseline, for the note.
        compute: does the work.
    """
    try:
        return compute()
    except Exception as error:  # noqa: BLE001  whatever a library says of a text that is not for it
        reason = " ".join(str(error).split()) or type(error).__name__
        log.warning("There is no %s beside this run: %s", name, reason[:LONGEST])
        return {}


def kept(name: str, inputs: dict[str, Any], compute: Callable[[], Figures]) -> Figures:
    """Return ``compute()``, or what it returned when it was last asked for the same.

    Args:
        name: of the baseline, part of the file's name.
        inputs: plain data that decides the result: the corpus's fingerprint, the split, the settings.
        compute: does the work.
    """
    path = place(name, inputs, "json")
    found = read(path)
    if found is None:
        found = compute()
        write_text(path, json.dumps(found, indent=1))
    return found


def kept_arrays(
    name: str, inputs: dict[str, Any], kinds: Mapping[str, Kind], compute: Callable[[], Arrays]
) -> Arrays:
    """Return ``compute()``, or what it returned when it was last asked for the same: a baseline's answers.

    Args:
        name: of the baseline, part of the file's name.
        inputs: as for :func:`kept`.
        kinds: what the arrays are, by name.
        compute: does the work.
    """
    path = place(name, inputs, "npz")
    try:
        return read_packed(path, kinds, mend="The baseline is computed again.")
    except FileNotFoundError:
        pass
    except DamagedFileError as error:
        log.warning("%s", error)
    found = compute()
    with written_beside(path) as unfinished:
        np.savez(unfinished, **found)  # type: ignore[arg-type]
    return found


def place(name: str, inputs: dict[str, Any], ending: str) -> Path:
    """Return the file of what was computed from these inputs."""
    digest = hashlib.sha256(json.dumps([name, inputs], sort_keys=True).encode()).hexdigest()
    return cache_folder() / "baselines" / f"{name}-{digest[:24]}.{ending}"


def read(path: Path) -> Figures | None:
    """Return the figures kept at ``path``; ``None`` where there are none or the file is damaged."""
    try:
        found: Figures = read_json(path, {str: {str: NUMBER}}, mend="The baseline is computed again.")
    except FileNotFoundError:
        return None
    except DamagedFileError as error:
        log.warning("%s", error)
        return None
    return found

"""Examine a file once, and remember what was found for as long as the file stays as it is."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from rnnlab.atomic import write_text
from rnnlab.errors import DamagedFileError
from rnnlab.files.plain_file import read_json
from rnnlab.folders import cache_folder


def examined_once(path: Path, examine: Callable[[Path], str], version: str) -> str:
    """Return ``examine(path)``, from the cache if this very file was examined before.

    A file counts as the same while its path, size and time of change are. What ``examine`` raises is passed
    on and not remembered.

    Args:
        path: the file.
        examine: checks the file's content and returns a digest of it.
        version: names what ``examine`` checks; another version examines anew.

    Raises:
        RnnlabError: if the cache folder can't be written.
    """
    state = path.stat()
    facts = [str(path), state.st_size, state.st_mtime_ns, version]
    note = cache_folder() / "verified" / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}.json"
    known = _read(note)
    if known is not None:
        return known
    digest = examine(path)
    write_text(note, json.dumps({"file": facts, "digest": digest}))
    return digest


def _read(note: Path) -> str | None:
    """Return the digest that a note holds; None where there is no note or it is damaged."""
    try:
        digest: str = read_json(note, {"digest": str})["digest"]
    except (OSError, DamagedFileError):
        return None
    return digest

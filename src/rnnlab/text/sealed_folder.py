"""A folder that tells whether it is whole: a manifest of the sizes and checksums of its files."""

import json
import stat
import zlib
from pathlib import Path

from rnnlab.errors import DamagedFileError
from rnnlab.files.bounded import is_name
from rnnlab.files.plain_file import read_json

_MANIFEST = "manifest.json"
_CHUNK = 1 << 22


def seal(folder: Path) -> None:
    """Write down the size and checksum (CRC-32) of every file in ``folder``, which must be complete."""
    files = {path.name: _facts(path) for path in sorted(folder.iterdir())}
    (folder / _MANIFEST).write_text(json.dumps(files, indent=1), encoding="utf-8")


def damage(folder: Path) -> str | None:
    """Return what is wrong with a sealed folder, or None if every file is as it was when it was sealed.

    Reads all of it, at the disk's speed.
    """
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

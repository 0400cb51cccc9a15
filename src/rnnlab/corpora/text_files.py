"""The user's own files: finding them, digests of them, their lines with numbers.

What takes long to find out of a file is remembered for as long as the file stays as it is.
"""

import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rnnlab.atomic import write_text
from rnnlab.corpora.corpus import fingerprint_of
from rnnlab.errors import DamagedFileError, DataError, nearest
from rnnlab.files.plain_file import read_json
from rnnlab.folders import cache_folder, data_folder


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
    with suppress(OSError, DamagedFileError):  # there is none, or it is damaged
        known: str = read_json(note, {"digest": str})["digest"]
        return known
    digest = examine(path)
    write_text(note, json.dumps({"file": facts, "digest": digest}))
    return digest


_LONGEST_HINT = 500  # characters: a folder of many files is not listed
_LARGE = 256 << 20  # bytes: a second of reading
_MARK = b"\xef\xbb\xbf"  # what some editors put before UTF-8


def files_named(patterns: str | Sequence[str]) -> tuple[Path, ...]:
    """Return the files that paths and glob patterns name, in order, each once.

    A relative one is looked for in the working folder, then in the data folder. What one pattern matches is
    sorted by path; ``**`` goes into folders below.

    Raises:
        DataError: if one of them names no file (says which are near it), or one that can't be read.
    """
    asked = [patterns] if isinstance(patterns, str) else list(patterns)
    found = {path: None for pattern in asked for path in _matches(str(pattern))}
    for path in found:
        if not os.access(path, os.R_OK):
            raise DataError(f"No permission to read {path}.")
    return tuple(found)


def _matches(pattern: str) -> list[Path]:
    expanded = Path(pattern).expanduser()
    roots = [Path.cwd(), data_folder()]
    for root in roots:
        whole = root / expanded  # an absolute path stays as it is
        if whole.is_file():
            return [whole]
        files = sorted(path for path in map(Path, glob.glob(str(whole), recursive=True)) if path.is_file())  # noqa: PTH207
        if files:
            return files
    for root in roots:
        if (root / expanded).is_dir():
            raise DataError(f"{root / expanded} is a folder. Name its files, for example {pattern}/*.txt.")
    places = str(expanded.parent) if expanded.is_absolute() else " or ".join(map(str, roots))
    folders = [folder for root in roots if (folder := (root / expanded).parent).is_dir()]
    beside = [path.name for folder in folders for path in folder.iterdir() if path.is_file()]
    alike = [name for name in beside if Path(name).suffix.lower() == expanded.suffix.lower()]
    near = nearest(expanded.name, beside, listed=alike)
    hint = f" {near}" if alike or near.startswith("Did") else ""
    raise DataError(f"There is no file {pattern} in {places}.{hint if len(hint) < _LONGEST_HINT else ''}")


def digest_of(paths: Iterable[Path]) -> str:
    """Return a hex digest (SHA-256) of the contents of files, in their order.

    A large file is read again only if its size or time of change is another: at each start, an hour's reading
    of a disk would come before the first step.
    """
    whole = hashlib.sha256()
    for path in paths:
        is_large = path.stat().st_size >= _LARGE
        once = examined_once(path.resolve(), digest_of_file, "content") if is_large else None
        whole.update(bytes.fromhex(once or digest_of_file(path)))
    return whole.hexdigest()


def digest_once(paths: Sequence[Path], beside: Path) -> str:
    """Return what :func:`digest_of` does, remembered for as long as the files, and one beside them, stay."""
    states = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    return examined_once(beside, lambda _: digest_of(paths), fingerprint_of(states=states))


def digest_of_file(path: Path, kind: str = "sha256") -> str:
    """Return a hex digest of the content of a file."""
    content = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            content.update(chunk)
    return content.hexdigest()


def decoded_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield number (from 1) and text of every line of a UTF-8 file, its ``\n`` kept.

    Raises:
        DataError: naming file and line, if bytes are not UTF-8.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(_MARK) if number == 1 else line
            try:
                yield number, content.decode("utf-8")
            except UnicodeDecodeError as error:
                wrong = f"byte {error.start + 1} ({content[error.start]:#04x})"
                raise DataError(
                    f"{path}, line {number}: {wrong} is not UTF-8. Save the file as UTF-8."
                ) from error


def check_disjoint(files: Mapping[str, Sequence[Path]]) -> None:
    """Raise a DataError if a file is named for two splits: what is trained on would be tested on."""
    split_of: dict[Path, str] = {}
    for split, paths in files.items():
        for path in paths:
            other = split_of.setdefault(path.resolve(), split)
            if other != split:
                raise DataError(f"{path} is named both for {other} and for {split}; name it for one of them.")

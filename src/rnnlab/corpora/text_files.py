"""The user's own files: finding them, digests of them, their lines with numbers."""

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rnnlab.corpora.verified import examined_once
from rnnlab.errors import DataError, nearest
from rnnlab.folders import data_folder

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
    beside = [path.name for root in roots for path in _files_in((root / expanded).parent)]
    alike = [name for name in beside if Path(name).suffix.lower() == expanded.suffix.lower()]
    near = nearest(expanded.name, beside, listed=alike)
    hint = f" {near}" if alike or near.startswith("Did") else ""
    raise DataError(f"There is no file {pattern} in {places}.{hint if len(hint) < _LONGEST_HINT else ''}")


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def digest_of(paths: Iterable[Path]) -> str:
    """Return a hex digest (SHA-256) of the contents of files, in their order.

    A large file is read again only if its size or time of change is another: at each start, an hour's reading
    of a disk would come before the first step.
    """
    whole = hashlib.sha256()
    for path in paths:
        is_large = path.stat().st_size >= _LARGE
        content = examined_once(path.resolve(), _digest, "content") if is_large else _digest(path)
        whole.update(bytes.fromhex(content))
    return whole.hexdigest()


def _digest(path: Path) -> str:
    content = hashlib.sha256()
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

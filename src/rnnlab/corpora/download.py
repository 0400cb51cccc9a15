"""Fetch a file over HTTP: progress bar, resume of what an earlier try left, checksum, placed in one step."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import urllib3
from filelock import FileLock
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from rnnlab import interruption
from rnnlab.corpora.text_files import digest_of_file
from rnnlab.errors import DataError
from rnnlab.folders import at_hand, cache_folder, data_folder
from rnnlab.shortage import told_when_short

_CHUNK = 1 << 16
_TIMEOUT = (15, 60)  # seconds to connect, and of silence


def published_file(name: str, url: str, *, md5: str, largest: int) -> Path:
    """Return the path of a publisher's file: in the data folder, else in the cache, else downloaded to it.

    Args:
        name: path of the file below the data folder (and below the cache folder), with ``/``.
        url: where its publisher keeps it.
        md5: hex digest that a download must have. A file that is already there is not checked.
        largest: bytes the download may have.

    Raises:
        DataError: if it is nowhere and can't be downloaded; says where to put it.
        RnnlabError: if the disk is full or the cache folder can't be written.
    """
    if (found := at_hand(name)) is not None:
        return found
    target = cache_folder() / name
    try:
        download(url, target, md5=md5, largest=largest)
    except DataError as error:
        raise DataError(
            f"{name} is neither in {data_folder()} nor in {cache_folder()}, and could not be downloaded: "
            f"{error} Put {name} into {data_folder()} (RNNLAB_DATA_DIR names another folder), or choose "
            "data=rotten_tomatoes, which needs neither this archive nor this download."
        ) from error
    return target


def download(url: str, target: Path, *, largest: int, md5: str = "", sha256: str = "") -> None:
    """Download ``url`` to ``target``, unless another process has just done so.

    What was fetched before a broken connection or Ctrl-C stays beside ``target`` as ``<name>.part`` and the
    next call goes on from there. ``md5`` or ``sha256``, a hex digest, says whether it is whole.

    Raises:
        DataError: if it can't be reached, is larger than ``largest`` bytes, or has another digest.
        RnnlabError: if the disk is full or the folder can't be written.
    """
    part = target.with_name(f"{target.name}.part")
    with told_when_short(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if target.is_file():
                return
            try:
                with _progress(target.name) as advance:
                    _fetch_with_patience(url, part, largest, advance)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):  # there it is no help to resume from
                    part.unlink(missing_ok=True)
                raise
            _check(part, url, "sha256" if sha256 else "md5", sha256 or md5)
            part.replace(target)


def _fetch_with_patience(url: str, part: Path, largest: int, advance: Callable[[int, int], None]) -> None:
    """Fetch to the end, taking a broken connection up again as long as that gets more of the file.

    Raises:
        DataError: with the reason of the last failure.
    """
    while True:
        before = _size(part)
        try:
            return _fetch_rest(url, part, largest, advance)
        except requests.HTTPError as error:
            raise DataError(f"{url} answers {error}.") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if _size(part) <= before:
                raise DataError(f"{url} can't be reached ({_root(error)}).") from error


def _fetch_rest(url: str, part: Path, largest: int, advance: Callable[[int, int], None]) -> None:
    """Append to ``part`` what it lacks; start anew where the server can't resume."""
    have = _size(part)
    headers = {"User-Agent": "rnnlab", "Accept-Encoding": "identity", "Range": f"bytes={have}-"}
    if not have:
        del headers["Range"]
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # nothing is missing: the checksum decides
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        have = have if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else 0
        with part.open("ab" if resumed else "wb") as file:
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                interruption.check()
                have += len(chunk)
                if max(have, total) > largest:
                    part.unlink()
                    raise DataError(f"{url} is larger than the {largest:,} bytes it should have at most.")
                file.write(chunk)
                advance(have, total)
    if have < total:
        raise requests.ConnectionError(f"the connection broke after {have:,} of {total:,} bytes")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _check(part: Path, url: str, kind: str, expected: str) -> None:
    """Remove ``part`` and raise a DataError if its digest is not the expected one."""
    digest = digest_of_file(part, kind)
    if digest != expected:
        part.unlink()
        raise DataError(
            f"what {url} sent has {kind.upper()} {digest}, not {expected}; it was altered or "
            "damaged on its way and was removed. Try again."
        )


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr and yield what moves it: a function of bytes fetched and bytes in all."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(f"Downloading {name}", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)


def _root(error: BaseException) -> str:
    """Return the innermost reason of an error that wraps others, on one line."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{error}".splitlines()[0] if f"{error}" else type(error).__name__

"""Read members straight from an archive that is not trusted. Nothing is ever unpacked to disk.

An archive that names a path outside its own folder, holds a link or a device, or unpacks to more than it
should is refused as a whole: no corpus's archive has reason to, so it was altered.
"""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from rnnlab.errors import DataError
from rnnlab.files.bounded import leads_out

_CHUNK = 1 << 16
_HEADERS = 1 << 20  # bytes before a member: its name, and room; tarfile holds all of them in memory


def tar_members(
    archive: Path, wanted: Callable[[str], bool], *, largest_member: int, largest_total: int
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the wanted files of a ``.tar.gz``, in one pass and in the archive's order.

    The pass goes on to the archive's end, so that its checksum is verified.

    Args:
        archive: the ``.tar.gz``.
        wanted: says of a member's name (``folder/file``, no leading ``./``) whether to read it.
        largest_member: bytes a wanted file may have.
        largest_total: bytes the whole archive may unpack to.

    Raises:
        DataError: if the archive is cut short, damaged or unsafe.
    """
    with _damage_reported(archive), gzip.open(archive) as unpacked:
        bounded = _Bounded(unpacked, largest_total, archive)
        with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r|") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep every header it has seen
                bounded.stop_at(member.offset_data + member.size + _HEADERS)
                name = _inside(member.name, archive)
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise _unsafe(archive, f"{name} is a link or another special file")
                if not wanted(name):
                    continue
                if member.size > largest_member:
                    raise _unsafe(archive, f"{name} has {member.size:,} bytes, more than {largest_member:,}")
                content = tar.extractfile(member)
                assert content is not None  # only links and folders have none
                yield name, content.read()
        bounded.stop_at(largest_total)
        # tarfile takes a damaged header for the end of the archive; after the true end come only zeros.
        while rest := bounded.read(_CHUNK):
            if rest.count(0) != len(rest):
                raise tarfile.ReadError("a header is damaged")


def zip_member(archive: Path, name: str, *, largest_member: int) -> bytes:
    """Return the content of one file of a ``.zip``.

    Raises:
        DataError: if the archive is cut short, damaged or unsafe, or has no such file.
    """
    with _damage_reported(archive), zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            _inside(entry.filename, archive)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _unsafe(archive, f"{entry.filename} is a link")
        if name not in opened.namelist():
            raise DataError(f"{archive} holds no {name}: it is not the archive that was expected.")
        with opened.open(name) as member:
            # One byte more than allowed shows a size that the directory of the archive lies about.
            content = member.read(largest_member + 1)
    if len(content) > largest_member:
        raise _unsafe(archive, f"{name} unpacks to more than {largest_member:,} bytes")
    return content


class _Bounded:
    """A stream that refuses to yield more than ``largest`` bytes."""

    def __init__(self, stream: gzip.GzipFile, largest: int, archive: Path) -> None:
        self._stream, self._largest, self._archive = stream, largest, archive
        self._place, self._stop = 0, _HEADERS

    def stop_at(self, place: int) -> None:
        """Say how far from the beginning one may read: to the end of the next member's headers."""
        self._stop = place

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._place += len(chunk)
        if self._place > self._largest:
            raise _unsafe(self._archive, f"it unpacks to more than {self._largest:,} bytes")
        if self._place > self._stop:
            raise _unsafe(self._archive, f"a member's headers have more than {_HEADERS:,} bytes")
        return chunk


@contextmanager
def _damage_reported(archive: Path) -> Iterator[None]:
    """Turn what the standard library says of a broken archive into a DataError that names the file."""
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        NotImplementedError,  # a compression, and
        RuntimeError,  # an encryption that zipfile can't undo
    ) as error:
        raise DataError(
            f"{archive} is cut short or damaged ({error}). Remove it and fetch it again."
        ) from error


def _inside(name: str, archive: Path) -> str:
    """Return the member's name without ``./``, or refuse one that leaves the archive's folder."""
    if leads_out(name):
        raise _unsafe(archive, f"{name} leads out of its folder")
    return name.removeprefix("./")


def _unsafe(archive: Path, reason: str) -> DataError:
    return DataError(f"{archive} is not read, as it was altered: {reason}. Remove it and fetch it again.")

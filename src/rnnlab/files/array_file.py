"""Numpy's arrays out of files: no larger in memory than their file says and can hold, and never pickled."""

import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.files.bounded import damaged, reason_of

LARGEST = 512 << 20
"""Bytes of all arrays that are read into memory out of one packed file."""
_UNREADABLE = (OSError, ValueError, EOFError, TypeError, OverflowError, SyntaxError, MemoryError)


class Kind(NamedTuple):
    """What an array must be: the letter of its numbers' kind (as ``dtype.kind``), and its axes."""

    letter: str
    axes: int


def read_packed(path: Path, kinds: Mapping[str, Kind], mend: str = "") -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an ``.npz``.

    Args:
        path: the file.
        kinds: the arrays that it must hold, by name.
        mend: a sentence on what to do if it is damaged.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: if it is cut short or altered, lacks an array, or has one of another kind, or arrays
            that would fill the memory.
    """
    if not path.exists():
        raise FileNotFoundError(str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(archive.getinfo(f"{name}.npy").file_size for name in kinds) > LARGEST:
                raise damaged(path, f"its arrays claim more than {LARGEST:,} bytes", mend)
            found = {name: member(archive, name) for name in kinds}
    except (*_UNREADABLE, LookupError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, reason_of(error), mend) from error
    for name, kind in kinds.items():
        if (found[name].dtype.kind, found[name].ndim) != kind:
            raise damaged(path, f"its array {name} is not as rnnlab writes it", mend)
    return found


def member(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """Return an array whose header claims as much as there is of it.

    Raises:
        ValueError: if the header claims something else, or objects.
    """
    with archive.open(f"{name}.npy") as file:
        claimed = claimed_bytes(file)
        if file.tell() + claimed != archive.getinfo(f"{name}.npy").file_size:
            raise ValueError(f"{name} claims {claimed:,} bytes, which are not there")
    with archive.open(f"{name}.npy") as file:
        found: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return found


def claimed_bytes(file: IO[bytes]) -> int:
    """Return how many bytes of numbers an array's header claims; the file stands behind the header.

    Raises:
        ValueError: if it is no header.
    """
    reading = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(file)
    if version not in reading:
        raise ValueError(f"it has numpy's format {version}")
    shape, _, kind = reading[version](file)
    if any(size < 0 for size in shape):
        raise ValueError("an axis is shorter than nothing")
    return math.prod(shape) * kind.itemsize


def open_array(path: Path, dtype: type[np.generic], *, mapped: bool = False) -> npt.NDArray[Any]:
    """Return the one array of an ``.npy``: numbers in a row.

    Args:
        path: the file.
        dtype: what its numbers must be.
        mapped: whether it stays on the disk, read-only, until it is read.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: if it is cut short, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            claimed = claimed_bytes(file)
            if file.tell() + claimed != path.stat().st_size:
                raise ValueError(f"it claims {claimed:,} bytes, which are not there")
        found = np.load(path, mmap_mode="r" if mapped and claimed else None, allow_pickle=False)
    except FileNotFoundError:
        raise
    except _UNREADABLE as error:
        raise damaged(path, reason_of(error)) from error
    if found.dtype != dtype or found.ndim != 1:
        raise damaged(path, f"it holds {found.ndim} axes of {found.dtype}")
    # A plain array over the map: slices of np.memmap are several times slower to make.
    return np.asarray(found)

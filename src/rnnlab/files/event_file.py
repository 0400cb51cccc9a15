"""Scalars out of TensorBoard's event files, also of broken ones; nothing here needs torch.

An event file is a row of records (the TFRecord format): the length as 8 bytes, its checksum as 4, the
record, its checksum as 4, all little-endian. A record is an ``Event`` message.
"""

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from rnnlab.errors import DamagedFileError
from rnnlab.figures.learning_curves import Series
from rnnlab.files import CURVES, VALIDATION

LARGEST = 1 << 16
"""Bytes of a record up to which it is read: larger ones hold images or texts, not scalars."""
MOST_TAGS = 1000
"""Series of one run: a metric for each of some hundred classes, and room."""


def scalars_of(folder: Path) -> tuple[dict[str, Series], list[str]]:
    """Return the scalars of a run, and what is broken.

    Where several files have a value for the same step, as after going on from a checkpoint, that of the
    latest file counts. Of a broken file all that comes before the break is kept.

    Returns:
        The series by tag, their steps rising, and a sentence for each broken file.
    """
    found: dict[str, dict[int, float]] = {}
    problems = []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=when_written):
        try:
            for step, tag, value in scalars_in(path):
                if tag in found or len(found) < MOST_TAGS:
                    found.setdefault(tag, {})[step] = value
        except DamagedFileError as error:
            problems.append(str(error))
    if len(found) == MOST_TAGS:
        problems.append(f"{folder} names more than {MOST_TAGS - 1} series; others are left out.")
    return {tag: series(values) for tag, values in sorted(found.items())}, problems


def when_written(path: Path) -> tuple[tuple[int, str], ...]:
    """Return what sorts event files as they were begun: second, machine, process, and count as a number.

    A process counts its files. By letters its tenth would come before its ninth.
    """
    parts = path.name.split(".")
    return tuple((int(part), part) if part.isdecimal() else (0, part) for part in parts)


def curves_in(folder: Path) -> tuple[dict[str, Series], list[str]]:
    """Return a run's series under names such as ``validation/loss``, and sentences on files that are broken.

    Args:
        folder: of the run's event files; those of the validation lie in a folder in it.
    """
    found: dict[str, Series] = {}
    problems: list[str] = []
    for place, split in ((folder, "train"), (folder / VALIDATION, VALIDATION)):
        scalars, broken_files = scalars_of(place)
        problems += broken_files
        for tag, read in scalars.items():
            name = f"{split}/{tag.partition('/')[2]}" if tag.startswith(f"{CURVES}/") else tag
            # A run that an earlier rnnlab began has other tags up to where it went on.
            found[name] = joined(found[name], read) if name in found else read
    return dict(sorted(found.items())), problems


def joined(first: Series, second: Series) -> Series:
    """Return two series as one; where both have a step, the second counts."""
    steps, values = [*first.steps, *second.steps], [*first.values, *second.values]
    return series(dict(zip(steps, values, strict=True)))


def series(values: dict[int, float]) -> Series:
    """Return values by step as a series."""
    steps = sorted(values)
    return Series(np.array(steps, dtype=float), np.array([values[step] for step in steps]))


def scalars_in(path: Path) -> Iterator[tuple[int, str, float]]:
    """Yield step, tag and value of each scalar in an event file.

    Raises:
        DamagedFileError: naming the file and the record where it breaks; what comes before was yielded.
    """
    for number, record in enumerate(records_in(path), start=1):
        event = Event()
        try:
            event.ParseFromString(record)
        except DecodeError as error:
            raise broken(path, number, "it is no event") from error
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield event.step, value.tag, value.simple_value


def records_in(path: Path) -> Iterator[bytes]:
    """Yield the records of an event file; nothing in place of one that is too large to hold scalars.

    Raises:
        DamagedFileError: naming the file and the record where it breaks.
    """
    number = 0
    try:
        # Without O_NONBLOCK, opening a pipe waits for whoever would write to it.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise broken(path, 0, "it is no file")
            while head := file.read(12):
                number += 1
                yield record_behind(head, file, facts.st_size, path, number)
    except OSError as error:
        raise broken(path, number, f"it can't be read ({error.strerror})") from error


def record_behind(head: bytes, file: IO[bytes], size: int, path: Path, number: int) -> bytes:
    """Return the record behind its head, and leave the file at the next; nothing of a large one.

    Args:
        head: length and checksum.
        file: stands behind them.
        size: of the whole file, in bytes.
        path: of the file, for the error.
        number: of the record, for the error.

    Raises:
        DamagedFileError: if it is cut short or altered.
    """
    if len(head) < 12:
        raise broken(path, number, "the file ends within it")
    length, check = struct.unpack("<QI", head)
    if masked_crc32c(head[:8]) != check:
        raise broken(path, number, "its length has a wrong checksum")
    # What a file claims is believed only as far as the file goes: it may claim terabytes.
    if file.tell() + length + 4 > size:
        raise broken(path, number, "the file ends within it")
    if length > LARGEST:
        file.seek(length + 4, os.SEEK_CUR)
        return b""
    rest = file.read(length + 4)
    if len(rest) < length + 4:
        raise broken(path, number, "the file ends within it")
    if masked_crc32c(rest[:-4]) != struct.unpack("<I", rest[-4:])[0]:
        raise broken(path, number, "its checksum is wrong")
    return rest[:-4]


def broken(path: Path, number: int, reason: str) -> DamagedFileError:
    """Return the error for a record that can't be read."""
    return DamagedFileError(f"{path} is broken at record {number}: {reason}. What comes before it is used.")

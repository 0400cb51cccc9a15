"""Scalars out of TensorBoard's event files, also of broken ones; nothing here needs torch.

An event file is a row of records (the TFRecord format): the length as 8 bytes, its checksum as 4, the
record, its checksum as 4, all little-endian. A record is an ``Event`` message.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from rnnlab.errors import DataError
from rnnlab.figures.learning_curves import Series

LARGEST = 1 << 16
"""Bytes of a record up to which it is read: larger ones hold images or texts, not scalars."""


def scalars_of(folder: Path) -> tuple[dict[str, Series], list[str]]:
    """Return the scalars of a run, and what is broken.

    Where several files have a value for the same step, as after going on from a checkpoint, that of the
    latest file counts. Of a broken file all that comes before the break is kept.

    Args:
        folder: TensorBoard's folder of the run.

    Returns:
        The series by tag, their steps rising, and a sentence for each broken file.
    """
    found: dict[str, dict[int, float]] = {}
    problems = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        try:
            for step, tag, value in scalars_in(path):
                found.setdefault(tag, {})[step] = value
        except (DataError, OSError) as error:
            problems.append(str(error))
    return {tag: series(values) for tag, values in sorted(found.items())}, problems


def series(values: dict[int, float]) -> Series:
    """Return values by step as a series."""
    steps = sorted(values)
    return Series(np.array(steps, dtype=float), np.array([values[step] for step in steps]))


def scalars_in(path: Path) -> Iterator[tuple[int, str, float]]:
    """Yield step, tag and value of each scalar in an event file.

    Raises:
        DataError: naming the file and the record where it breaks; what comes before was yielded.
    """
    for number, record in enumerate(records_in(path), start=1):
        if len(record) > LARGEST:
            continue
        event = Event()
        try:
            event.ParseFromString(record)
        except DecodeError as error:
            raise broken(path, number, "it is no event") from error
        for value in event.summary.value:
            if value.HasField("simple_value"):
                yield event.step, value.tag, value.simple_value


def records_in(path: Path) -> Iterator[bytes]:
    """Yield the records of an event file.

    Raises:
        DataError: naming the file and the record where it breaks.
    """
    with path.open("rb") as file:
        number = 0
        while head := file.read(12):
            number += 1
            if len(head) < 12:
                raise broken(path, number, "the file ends within it")
            length, check = struct.unpack("<QI", head)
            if masked_crc32c(head[:8]) != check:
                raise broken(path, number, "its length has a wrong checksum")
            rest = file.read(length + 4)
            if len(rest) < length + 4:
                raise broken(path, number, "the file ends within it")
            record = rest[:-4]
            # The checksum of a large record, an image's, takes long in Python, and nobody reads it here.
            if length <= LARGEST and masked_crc32c(record) != struct.unpack("<I", rest[-4:])[0]:
                raise broken(path, number, "its checksum is wrong")
            yield record


def broken(path: Path, number: int, reason: str) -> DataError:
    """Return the error for a record that can't be read."""
    return DataError(f"{path} is broken at record {number}: {reason}. What comes before it is used.")

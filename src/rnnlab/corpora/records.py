"""Records of numbers and times out of a CSV, TSV, JSON Lines or Parquet file, or a pandas DataFrame."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab.corpora.rows import DELIMITERS, FORMAT_OF_SUFFIX, csv_records, other_separator
from rnnlab.corpora.text_files import decoded_lines
from rnnlab.errors import ConfigError, DataError, nearest

FORMATS = ("csv", "tsv", "jsonl", "parquet")
SUFFIXES = {**FORMAT_OF_SUFFIX, ".parquet": "parquet", ".pq": "parquet"}
"""What the endings of names tell."""

Reader = Callable[[Sequence[str]], Iterator[tuple[int, Sequence[object]]]]


@dataclass(frozen=True, slots=True)
class Records:
    """A table that is read a record at a time.

    Attributes:
        source: what it is called in messages.
        unit: what records are counted in, ``line`` or ``row``.
        columns: names of all its columns.
        series: the name of the series in it where no column tells it.
        read: yields the number of each record (from 1) and its values in the columns asked for.
    """

    source: str
    unit: str
    columns: tuple[str, ...]
    read: Reader
    series: str = ""

    def place(self, number: int) -> str:
        """Return where a record stands."""
        return f"{self.source}, {self.unit} {number}"

    def check(self, column: str, key: str) -> None:
        """Raise a DataError that names the nearest columns if there is none of this name, or more than one.

        Args:
            column: the name.
            key: of the configuration, which asks for it.
        """
        if column in self.columns and self.columns.count(column) == 1:
            return
        if column in self.columns:
            raise DataError(f"{self.source}: {self.columns.count(column)} columns are named {column}.")
        hint = other_separator(self.columns) or f"{nearest(column, self.columns)} Set {key}."
        raise DataError(f"{self.source}: no column {column!r}. {hint}")


def records_of_file(path: Path, format: str | None) -> Records:
    """Return the records of a file.

    Args:
        path: the file.
        format: ``csv``, ``tsv``, ``jsonl`` or ``parquet``; None goes by the file's suffix.

    Raises:
        ConfigError: if the format can't be told from the file's suffix, or what reads it is not installed.
        DataError: if the file names no columns or can't be read; reading raises it naming the line.
    """
    form = format or SUFFIXES.get(path.suffix.lower())
    if form not in FORMATS:
        raise ConfigError(
            f"{path}: its format is {form or 'not told by its name'}. "
            f"Set data.corpus.format to one of {', '.join(FORMATS)}."
        )
    if form == "parquet":
        return _parquet(path)
    return _json_lines(path) if form == "jsonl" else _delimited(path, DELIMITERS[form])


def records_of_frame(frame: Any) -> Records:
    """Return the records of a pandas DataFrame; an index that has a name, or holds times, is a column, too.

    Raises:
        DataError: if it is no DataFrame.
    """
    if not hasattr(frame, "columns") or not hasattr(frame, "reset_index"):
        raise DataError(f"expected a pandas DataFrame, not {type(frame).__name__}.")
    if frame.index.name is not None or str(frame.index.dtype).startswith("datetime"):
        frame = frame.reset_index()
    names = tuple(map(str, frame.columns))

    def read(columns: Sequence[str]) -> Iterator[tuple[int, Sequence[object]]]:
        values = [frame.iloc[:, names.index(column)].tolist() for column in columns]
        return enumerate(zip(*values, strict=True), start=1)

    return Records("the frame", "row", names, read)


def _delimited(path: Path, separator: str) -> Records:
    header_line, header, _ = next(csv_records(path, separator), (1, [], []))
    names = tuple(name.strip() for name in header)
    if not names:
        raise DataError(f"{path} is empty: its first line must name the columns.")

    def read(columns: Sequence[str]) -> Iterator[tuple[int, Sequence[object]]]:
        places = [names.index(column) for column in columns]
        records = csv_records(path, separator)
        next(records)
        for line, fields, _ in records:
            if len(fields) != len(names):
                raise DataError(
                    f"{path}, line {line}: {len(fields)} fields, but line {header_line} names {len(names)} "
                    f"columns ({', '.join(names)})."
                )
            yield line, [fields[place] for place in places]

    return Records(str(path), "line", names, read)


def _json_lines(path: Path) -> Records:
    names = tuple(dict.fromkeys(name for _, found in _objects(path) for name in found))
    if not names:
        raise DataError(f"{path} is empty.")

    def read(columns: Sequence[str]) -> Iterator[tuple[int, Sequence[object]]]:
        return ((line, [found.get(column) for column in columns]) for line, found in _objects(path))

    return Records(str(path), "line", names, read)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    for line, content in decoded_lines(path):
        if not content.strip():
            continue
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {line}: not a line of JSON ({error}).") from error
        if not isinstance(found, dict):
            raise DataError(f'{path}, line {line}: not a JSON object, such as {{"time": "2020-01-01"}}.')
        yield line, found


def _parquet(path: Path) -> Records:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            f"{path}: Parquet is read by pyarrow, which is not installed: pip install 'rnnlab[series]', or "
            "save the table as CSV."
        ) from error
    try:
        names = tuple(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file, or damaged ({error}).") from error

    def read(columns: Sequence[str]) -> Iterator[tuple[int, Sequence[object]]]:
        first = 1
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=list(dict.fromkeys(columns))):
                values = [batch.column(column).to_pylist() for column in columns]
                yield from enumerate(zip(*values, strict=True), start=first)
                first += len(batch)

    return Records(str(path), "row", names, read)

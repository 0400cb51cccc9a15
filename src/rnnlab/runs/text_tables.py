"""Tables of texts: read row by row with all their columns, written row by row with more columns."""

import csv
import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rnnlab.corpora.rows import FORMAT_OF_SUFFIX, other_separator
from rnnlab.corpora.text_files import decoded_lines
from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.files.json_file import parsed_json
from rnnlab.files.shapes import NotPlainError

FORMATS = {**FORMAT_OF_SUFFIX, ".txt": "txt", ".text": "txt"}
_LONGEST_FIELD = 64 << 20  # characters; a longer one is a quotation mark left open
_DELIMITERS = {"csv": ",", "tsv": "\t"}

# What begins a formula in a spreadsheet: also behind a tab or a line's end, and in their wide forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextRow:
    """A row: its text, all its columns (the text's among them), and its line in the file."""

    text: str
    columns: Columns
    line: int


def format_of(path: Path) -> str:
    """Return ``csv``, ``tsv``, ``jsonl`` or ``txt``, by a file's ending.

    Raises:
        ConfigError: if it has another ending.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ConfigError(f"{path}: its name must end in one of {', '.join(FORMATS)}.")
    return form


def read_texts(path: Path, column: str = "text") -> Iterator[TextRow]:
    """Yield the rows of a table, or the lines of a plain text; memory holds one at a time.

    Args:
        path: a CSV, TSV, JSON Lines or plain-text file in UTF-8.
        column: the column (in JSON Lines, the key) of the text; a plain text's lines are its only column.

    Raises:
        ConfigError: if the ending tells no format.
        DataError: naming file and line: a missing file or column, a row unlike the header, bytes that are
            not UTF-8, JSON that is none.
    """
    form = format_of(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if form == "txt":
        return (text_row(column, line.rstrip("\r\n"), number) for number, line in decoded_lines(path))
    return _json_rows(path, column) if form == "jsonl" else _delimited_rows(path, column, _DELIMITERS[form])


def text_row(column: str, text: str, line: int) -> TextRow:
    """Return a row that has no column but its text."""
    return TextRow(text, {column: text}, line)


def _delimited_rows(path: Path, column: str, delimiter: str) -> Iterator[TextRow]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader((text for _, text in decoded_lines(path)), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise DataError(f"{path}, the row from line {line}: {error}.") from error
        if not fields:
            continue
        if header is None:
            header = [name.strip() for name in fields]
            _check_header(header, column, path, line)
            continue
        if len(fields) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(fields)} fields, but the header names {len(header)} columns "
                f"({', '.join(header)}). A separator in a text needs quotation marks around it."
            )
        row = dict(zip(header, fields, strict=True))
        yield TextRow(row[column], row, line)
    if header is None:
        raise DataError(f"{path} is empty: its first line must name the columns.")


def _check_header(header: list[str], column: str, path: Path, line: int) -> None:
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}, line {line}: {header.count(twice)} columns are named {twice!r}.")
    if column not in header:
        known = other_separator(header) or f"{nearest(column, header)} Set text_column=…"
        raise DataError(f"{path}, line {line}: no column {column!r}. {known}")


def _json_rows(path: Path, column: str) -> Iterator[TextRow]:
    for line, content in decoded_lines(path):
        if not content.strip():
            continue
        try:
            record = parsed_json(content)
        except NotPlainError as error:
            raise DataError(f"{path}, line {line}: not a line of JSON: {error}.") from error
        if not isinstance(record, dict):
            raise DataError(f'{path}, line {line}: not a JSON object, such as {{"text": "…"}}.')
        if column not in record:
            raise DataError(
                f"{path}, line {line}: no key {column!r}. {nearest(column, record)} Set text_column=…"
            )
        if not isinstance(record[column], str):
            raise DataError(f"{path}, line {line}: {column} is not a text.")
        yield TextRow(record[column], record, line)


@dataclass
class SafeCells:
    """Keeps spreadsheets from running what a cell of a CSV or TSV says.

    Attributes:
        columns: whose cells are looked at; None for all, and for the header.
        changed: how many got an apostrophe so far, which makes text of what would be a formula.
    """

    columns: Collection[str] | None = ()
    changed: int = 0

    def cell(self, column: str, value: object) -> object:
        """Return a value as it is written."""
        is_looked_at = self.columns is None or column in self.columns
        if not (is_looked_at and isinstance(value, str) and is_formula(value)):
            return value
        self.changed += 1
        return f"'{value}"


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet would take a cell for a formula; a number with its sign is none.

    >>> [is_formula(text) for text in ("=1+1", "@SUM(A1)", "-1", "+1.5e-3", "- really", "fine")]
    [True, True, False, False, True, False]
    """
    return text[:1] in _FORMULA and text != "" and re.fullmatch(r"[-+][\d.,]+(e[-+]?\d+)?", text) is None


def row_writer(file: TextIO, form: str, safe: SafeCells) -> Callable[[Columns], None]:
    """Return a function that writes one row; the first row's columns make the header.

    Raises:
        ConfigError: if ``form`` is not a table's.
        DataError: from the function, if a row has a column that the header lacks.
    """
    if form == "jsonl":
        return lambda columns: print(json.dumps(columns, ensure_ascii=False), file=file)
    if form not in _DELIMITERS:
        raise ConfigError("output: a table of predictions ends in .csv, .tsv or .jsonl.")
    table = csv.writer(file, delimiter=_DELIMITERS[form], lineterminator="\n")
    header: list[str] = []

    def write(columns: Columns) -> None:
        if not header:
            header.extend(columns)
            table.writerow([safe.cell("", name) for name in header])
        new = [name for name in columns if name not in header]
        if new:
            raise DataError(
                f"A row has the key {new[0]!r}, which the first row has not: a table has one set of columns. "
                "Name an output that ends in .jsonl."
            )
        table.writerow([safe.cell(name, _as_field(columns.get(name))) for name in header])

    return write


def _as_field(value: object) -> object:
    """Return what a CSV holds of a value that came from JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list, bool)) else value


def check_columns_free(columns: Columns, new: Sequence[str], path: Path) -> None:
    """Check that no column of the input has the name of one that is added.

    Raises:
        DataError: naming the column.
    """
    taken = [name for name in new if name in columns]
    if taken:
        raise DataError(f"{path} already has a column {taken[0]!r}. Rename or remove it.")

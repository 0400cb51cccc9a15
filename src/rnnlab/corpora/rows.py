"""Rows of CSV, TSV and JSON Lines files, with the line at which each of them stands."""

import csv
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnnlab.corpora.text_files import decoded_lines
from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.files.json_file import parsed_json
from rnnlab.files.shapes import NotPlainError

FORMATS = ("csv", "tsv", "jsonl")

FORMAT_OF_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""What the endings of tables' names tell."""
SEPARATORS = {
    **{"\t": "tabs: name it .tsv", ",": "commas: name it .csv"},
    **{";": "semicolons: save it with commas", "|": "bars: save it with commas"},
}
"""Signs that separate the columns of a table read as another kind, and what to do."""
_LONGEST_FIELD = 16 << 20  # characters; a longer one is a quotation mark left open


@dataclass(frozen=True, slots=True)
class Row:
    """The text of one row and its label's name (None where no label is asked for), and the row's line."""

    text: str
    label: str | None
    line: int


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the rows of files of one format.

    Args:
        format: ``csv``, ``tsv`` or ``jsonl``; None goes by each file's suffix.
        text_column: the column (in JSON Lines, the key) of the text.
        label_column: that of the label, or None.
        quotes: whether ``"`` can enclose a field, as spreadsheets write it; false where it is a character
            like others. JSON Lines have their own rule.
    """

    format: str | None
    text_column: str
    label_column: str | None
    quotes: bool

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise ConfigError(f"data.corpus.format is {self.format!r}. {nearest(self.format, FORMATS)}")

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the rows of a file; empty lines are passed over. A text may be empty, a label may not.

        Raises:
            ConfigError: if the format can't be told from the file's suffix.
            DataError: naming file and line, for a missing column, an empty label, a row that is not like the
                first, bytes that are not UTF-8, JSON that is none.
        """
        form = self.format or FORMAT_OF_SUFFIX.get(path.suffix.lower())
        if form is None:
            raise ConfigError(
                f"{path} could be anything: its name ends in none of {', '.join(FORMAT_OF_SUFFIX)}. "
                f"Set data.corpus.format to one of {', '.join(FORMATS)}."
            )
        return self._json_rows(path) if form == "jsonl" else self._delimited_rows(path, form)

    def _delimited_rows(self, path: Path, form: str) -> Iterator[Row]:
        records = self._records(path, form)
        header_line, header = next(records, (1, []))
        columns = [name.strip() for name in header]
        if not columns:
            raise DataError(f"{path} is empty: its first line must name the columns.")
        text_at = _place(self.text_column, columns, path, header_line)
        label_at = (
            None if self.label_column is None else _place(self.label_column, columns, path, header_line)
        )
        for line, fields in records:
            if len(fields) != len(columns):
                raise DataError(
                    f"{path}, line {line}: {len(fields)} fields, but line {header_line} names {len(columns)} "
                    f"columns ({', '.join(columns)}). A separator in a text needs quotation marks around it."
                )
            label = None if label_at is None else self._label(fields[label_at], path, line)
            yield Row(fields[text_at], label, line)

    def _records(self, path: Path, form: str) -> Iterator[tuple[int, list[str]]]:
        """Yield the line at which a record starts and its fields."""
        csv.field_size_limit(_LONGEST_FIELD)
        reader = csv.reader(
            (text for _, text in decoded_lines(path)),
            delimiter="\t" if form == "tsv" else ",",
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            strict=True,
        )
        while True:
            line = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                hint = (
                    " If quotation marks enclose nothing in this file, set data.corpus.quotes=false."
                    * self.quotes
                )
                raise DataError(f"{path}, the row from line {line}: {error}.{hint}") from error
            if fields:
                yield line, fields

    def _json_rows(self, path: Path) -> Iterator[Row]:
        for line, content in decoded_lines(path):
            if not content.strip():
                continue
            try:
                record = parsed_json(content)
            except NotPlainError as error:
                raise DataError(f"{path}, line {line}: not a line of JSON: {error}.") from error
            if not isinstance(record, dict):
                raise DataError(f'{path}, line {line}: not a JSON object, such as {{"text": "…"}}.')
            text = record[_key(self.text_column, record, path, line)]
            if not isinstance(text, str):
                raise DataError(
                    f"{path}, line {line}: {self.text_column} is {json.dumps(text)[:40]}, not a text."
                )
            label = None
            if self.label_column is not None:
                value = record[_key(self.label_column, record, path, line)]
                label = self._label(_label_text(value, self.label_column, path, line), path, line)
            yield Row(text, label, line)

    def _label(self, value: str, path: Path, line: int) -> str:
        label = value.strip()
        if not label:
            raise DataError(
                f"{path}, line {line}: {self.label_column} is empty. Give the row a label, remove it, or set "
                "data.corpus.label_column=null to read all as text without labels."
            )
        return label


def _place(column: str, columns: list[str], path: Path, line: int) -> int:
    """Return which of the columns has this name."""
    if columns.count(column) > 1:
        raise DataError(f"{path}, line {line}: {columns.count(column)} columns are named {column}.")
    return columns.index(_key(column, columns, path, line))


def _key(column: str, columns: list[str] | dict[str, object], path: Path, line: int) -> str:
    """Return the column's name, having checked that it is there."""
    if column not in columns:
        known = nearest(column, columns) if columns else "It is empty."
        to_do = f"{known} Set data.corpus.text_column and data.corpus.label_column."
        raise DataError(f"{path}, line {line}: no column {column!r}. {other_separator(columns) or to_do}")
    return column


def other_separator(columns: Collection[str]) -> str | None:
    """Return what to do about a first line that another sign seems to separate; None if none does.

    >>> other_separator(["text;label"])
    'Its columns seem to be separated by semicolons: save it with commas.'
    """
    if len(columns) == 1:
        (only,) = columns
        for sign, what_to_do in SEPARATORS.items():
            if sign in only:
                return f"Its columns seem to be separated by {what_to_do}."
    return None


def _label_text(value: object, column: str, path: Path, line: int) -> str:
    """Return the name of a label that JSON gives as a string, a number or a truth value; empty for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise DataError(f"{path}, line {line}: {column} is {json.dumps(value)[:40]}, not a name or a number.")

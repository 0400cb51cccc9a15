"""Rows of CSV, TSV and JSON Lines files, with the line at which each of them stands."""

import csv
import json
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rnnlab.corpora.labels import is_missing, tidied
from rnnlab.corpora.text_files import decoded_lines
from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.files.plain_file import NotPlainError, parsed_json

FORMATS = ("csv", "tsv", "jsonl")

FORMAT_OF_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""What the endings of tables' names tell."""
SEPARATORS = {
    **{"\t": "tabs: name it .tsv", ",": "commas: name it .csv"},
    **{";": "semicolons: save it with commas", "|": "bars: save it with commas"},
}
"""Signs that separate the columns of a table read as another kind, and what to do."""
DELIMITERS = {"csv": ",", "tsv": "\t"}
_LONGEST_FIELD = 16 << 20  # characters; a longer one is a quotation mark left open
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its text, its label's name (None where no label is asked for), all its columns, and its line."""

    text: str
    label: str | None
    columns: dict[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the rows of files of one format; the one reader of tables, for training and for prediction.

    Args:
        format: ``csv``, ``tsv`` or ``jsonl``; None goes by each file's suffix.
        text_column: the column (in JSON Lines, the key) of the text.
        label_column: that of the label, or None.
        quotes: whether ``"`` can enclose a field, as spreadsheets write it; false where it is a character
            like others. None is true, but a field that seems to have swallowed rows is refused. JSON Lines
            have their own rule.
        classes: labels that count as such even if they read as "nothing here", such as ``none``.
        prefix: what messages put before the names of these settings.
        separator: what stands between the labels of a row that may have several, or none; None where each
            has one. A row's label is then its names with the separator between them.
    """

    format: str | None
    text_column: str
    label_column: str | None
    quotes: bool | None
    classes: Collection[str] = ()
    prefix: str = "data.corpus."
    separator: str | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and not self.separator.strip():
            raise ConfigError(
                f"{self.prefix}label_separator is {self.separator!r}; expected a sign, such as |."
            )
        if self.format is not None and self.format not in FORMATS:
            raise ConfigError(f"{self.prefix}format is {self.format!r}. {nearest(self.format, FORMATS)}")

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the rows of a file; empty lines are passed over. A text may be empty, a label may not.

        Columns that share a name are told apart by a number; a column of the text or label may not be one.

        Raises:
            ConfigError: if the format can't be told from the file's suffix.
            DataError: naming file and line, for a missing column, a missing label, a row that is not like the
                first, a row that seems to be several, bytes that are not UTF-8, JSON that is none.
        """
        form = self.format or FORMAT_OF_SUFFIX.get(path.suffix.lower())
        if form is None:
            raise ConfigError(
                f"{path} could be anything: its name ends in none of {', '.join(FORMAT_OF_SUFFIX)}. "
                f"Set {self.prefix}format to one of {', '.join(FORMATS)}."
            )
        return self._json_rows(path) if form == "jsonl" else self._delimited_rows(path, DELIMITERS[form])

    def _delimited_rows(self, path: Path, delimiter: str) -> Iterator[Row]:
        hint = f" If quotation marks enclose nothing in this file, set {self.prefix}quotes=false."
        records = csv_records(path, delimiter, self.quotes is not False, hint)
        header_line, header, lines = next(records, (1, [], []))
        names = [name.strip() for name in header]
        if not names:
            raise DataError(f"{path} is empty: its first line must name the columns.")
        text_at = self._place(self.text_column, names, path, header_line)
        label_at = (
            None if self.label_column is None else self._place(self.label_column, names, path, header_line)
        )
        columns = told_apart(names)
        shape = RowShape(delimiter, len(columns))
        shape.is_of_most(lines)
        for line, fields, lines in records:
            if len(fields) != len(columns):
                raise DataError(
                    f"{path}, line {line}: {len(fields)} fields, but line {header_line} names {len(columns)} "
                    f"columns ({', '.join(names)}). A separator in a text needs quotation marks around it."
                )
            if shape.is_of_most(lines) and self.quotes is None:
                self._refuse_swallowed(path, line, line + len(lines) - 1, len(columns))
            label = None if label_at is None else self._label(fields[label_at], path, line)
            yield Row(fields[text_at], label, dict(zip(columns, fields, strict=True)), line)

    def _refuse_swallowed(self, path: Path, first: int, last: int, columns: int) -> None:
        """Refuse a field that looks like rows; where every line does, as there is one column, warn of it.

        Raises:
            DataError: naming the lines and what to set.
        """
        where = f"{path}, lines {first} to {last}: a field between quotation marks spans these lines, and"
        to_do = (
            f"If quotation marks are plain characters in this file, set {self.prefix}quotes=false; if the "
            f"text does span lines, {self.prefix}quotes=true."
        )
        if columns == 1:
            _warn_once(f"{where} each could be a row of its own. {to_do}")
        else:
            raise DataError(f"{where} they look like rows of their own, with {columns} columns each. {to_do}")

    def _json_rows(self, path: Path) -> Iterator[Row]:
        for line, content in decoded_lines(path):
            if not content.strip():
                continue
            record = _json_object(content, path, line)
            text = record[self._known(self.text_column, record, path, line)]
            if not isinstance(text, str):
                raise DataError(
                    f"{path}, line {line}: {self.text_column} is {json.dumps(text)[:40]}, not a text."
                )
            label = None
            if self.label_column is not None:
                value = record[self._known(self.label_column, record, path, line)]
                label = self._label(self._label_text(value, path, line), path, line)
            yield Row(text, label, record, line)

    def _label(self, value: str, path: Path, line: int) -> str:
        """Return a label, or labels with the separator between them, without what can't be seen.

        Raises:
            DataError: if there is none, in whatever spelling; of several, if one is missing or there twice.
        """
        if self.separator is None:
            return self._name(value, path, line)
        if not value.strip():
            return ""
        names = [self._name(name, path, line) for name in value.split(self.separator)]
        if len(set(names)) < len(names):
            raise DataError(
                f"{path}, line {line}: {self.label_column} is {value!r}, which has a label twice."
            )
        return self.separator.join(names)

    def _name(self, value: str, path: Path, line: int) -> str:
        label = tidied(value)
        if not is_missing(label) or label in self.classes:
            return label
        keep = ""
        if label:
            keep = f" If {label!r} is a class, name all classes: {self.prefix}labels=[{label},…]."
        elif self.separator is None:
            keep = f" If rows may have several labels or none, set {self.prefix}label_separator='|'."
        raise DataError(
            f"{path}, line {line}: {self.label_column} is {repr(label) if label else 'empty'}, so there is "
            f"no label. Give the row one, remove it, or set {self.prefix}label_column=null to read all as "
            f"text without labels.{keep}"
        )

    def _label_text(self, value: object, path: Path, line: int) -> str:
        """Return what JSON gives as a label; a list of several becomes a text with the separator in it."""
        column = str(self.label_column)
        if self.separator is None or not isinstance(value, list):
            return _label_text(value, column, path, line)
        names = [_label_text(name, column, path, line) for name in value]
        for name in names:
            if self.separator in name or not name.strip():
                raise DataError(
                    f"{path}, line {line}: {column} has the label {name!r}, which is empty or holds "
                    f"{self.prefix}label_separator."
                )
        return self.separator.join(names)

    def _place(self, column: str, columns: list[str], path: Path, line: int) -> int:
        """Return which of the columns has this name."""
        if columns.count(column) > 1:
            raise DataError(f"{path}, line {line}: {columns.count(column)} columns are named {column!r}.")
        return columns.index(self._known(column, columns, path, line))

    def _known(self, column: str, columns: Collection[str], path: Path, line: int) -> str:
        """Return the column's name, having checked that it is there."""
        if column in columns:
            return column
        asked = {"text_column": self.text_column, "label_column": self.label_column}
        keys = [key for key, name in asked.items() if name is not None and name not in columns]
        known = nearest(column, columns) if columns else "It is empty."
        to_do = f"{known} Set {' and '.join(f'{self.prefix}{key}' for key in keys)}."
        raise DataError(f"{path}, line {line}: no column {column!r}. {other_separator(columns) or to_do}")


def csv_records(
    path: Path, delimiter: str, quotes: bool = True, hint: str = ""
) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield the line at which a record starts, its fields, and its lines, good until the next record.

    Args:
        path: the file; its empty lines are passed over.
        delimiter: what separates fields.
        quotes: whether quotation marks can enclose a field.
        hint: what to do if they enclose nothing.

    Raises:
        DataError: naming file and line, for a record that can't be read.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    lines: list[str] = []
    reader = csv.reader(
        _noted(path, lines),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        lines.clear()
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why, is_about_quotes = why_unread(error)
            to_do = hint if is_about_quotes and quotes else ""
            raise DataError(f"{path}, the row from line {line}: {why}.{to_do}") from error
        if fields:
            yield line, fields, lines


def why_unread(error: csv.Error) -> tuple[str, bool]:
    """Return why the csv module could not read a row, and whether that may be for its quotation marks.

    >>> why_unread(csv.Error("line contains NUL"))
    ('line contains NUL', True)
    """
    text = str(error)
    if text.startswith("new-line character"):
        return (
            "it holds a carriage return without a newline, as old files end lines: save the file anew",
            False,
        )
    return text.replace("unexpected end of data", "a quotation mark opens a field and none closes it"), True


def told_apart(names: Sequence[str]) -> list[str]:
    """Return names of which each occurs once: the second of a name gets a number, and so on.

    >>> told_apart(["", "", "text", "id", "id"])
    ['', '_2', 'text', 'id', 'id_2']
    """
    counts = Counter(names)
    taken = {name for name, count in counts.items() if count == 1}
    apart = []
    for name in names:
        unique, number = name, 1
        while counts[name] > 1 and unique in taken:
            number += 1
            unique = f"{name}_{number}"
        taken.add(unique)
        apart.append(unique)
    return apart


class RowShape:
    """What a row looks like by its separators, to tell a text of several lines from rows swallowed by a mark.

    A line looks like a row if it has a row's number of separators. In prose a comma stands before a space, at
    a line's end or in a number; in a table it does not, unless in the header or the row before it did.

    >>> shape = RowShape(",", columns=2)
    >>> shape.is_of_most(['"a fine film,good', 'a dull film",bad'])
    True
    >>> shape.is_of_most(['"a fine film, really', 'and a long one",good'])
    False
    """

    def __init__(self, delimiter: str, columns: int) -> None:
        self._delimiter = delimiter
        self._separators = columns - 1
        ended = "|$" if columns == 2 else ""
        self._prose = re.compile(rf"{re.escape(delimiter)}(?:[ \xa0]{ended})|\d,\d{{3}}(?!\d)")
        self._spaced = False

    def is_of_most(self, lines: Sequence[str]) -> bool:
        """Return whether the lines of one record, several, mostly look like rows; learn from one of one."""
        written = [line.rstrip("\r\n") for line in lines if line.strip()]
        counted = [line for line in written if line.count(self._delimiter) == self._separators]
        if len(written) < 2:
            self._spaced = any(map(self._prose.search, counted))
            return False
        loose = self._spaced or self._delimiter == "\t"
        alike = [line for line in counted if loose or not self._prose.search(line)]
        return len(alike) > max(1, len(written) / 2)


def _noted(path: Path, lines: list[str]) -> Iterator[str]:
    """Yield and note the lines of a table; Excel's line that names the separator is read as empty."""
    for number, line in decoded_lines(path):
        lines.append("\n" if number == 1 and _SEPARATOR_LINE.fullmatch(line.strip()) else line)
        yield lines[-1]


@cache
def _warn_once(message: str) -> None:
    _log.warning(message)


def _json_object(content: str, path: Path, line: int) -> dict[str, Any]:
    try:
        record = parsed_json(content)
    except NotPlainError as error:
        raise DataError(f"{path}, line {line}: not a line of JSON: {error}.") from error
    if not isinstance(record, dict):
        raise DataError(f'{path}, line {line}: not a JSON object, such as {{"text": "…"}}.')
    return record


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

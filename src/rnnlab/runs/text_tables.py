"""Tables row by row: texts to predict with all their columns, and outputs, never overwritten unasked."""

import csv
import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, TextIO

from rnnlab.corpora.rows import DELIMITERS, FORMAT_OF_SUFFIX, Row, RowReader
from rnnlab.corpora.text_files import decoded_lines
from rnnlab.errors import ConfigError, DataError, RunError
from rnnlab.visible import visible


def free_name(target: Path) -> Path:
    """Return ``target``, or with a number where that exists: ``explanation_2.html``."""
    numbered = (target.with_name(f"{target.stem}_{number}{target.suffix}") for number in count(2))
    return next(name for name in chain([target], numbered) if not name.exists())


def check_output(target: Path, overwrite: bool, source: Path | None = None) -> None:
    """Check that ``target`` may be written.

    Raises:
        RunError: if it exists and ``overwrite`` is not set, or is a folder or the input itself.
    """
    if target.is_dir():
        raise RunError(f"output={target} is a folder; name a file.")
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise RunError(f"output={target} is the input itself; name another file.")
    if target.exists() and not overwrite:
        raise RunError(f"{target} exists. Name another output, or pass overwrite=true.")


FORMATS = {**FORMAT_OF_SUFFIX, ".txt": "txt", ".text": "txt"}

# What begins a formula in a spreadsheet: also behind a tab or a line's end, and in their wide forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Columns = dict[str, Any]


def format_of(path: Path) -> str:
    """Return ``csv``, ``tsv``, ``jsonl`` or ``txt``, by a file's ending.

    Raises:
        ConfigError: if it has another ending.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ConfigError(f"{path}: its name must end in one of {', '.join(FORMATS)}.")
    return form


def read_texts(path: Path, column: str = "text", quotes: bool | None = None) -> Iterator[Row]:
    """Yield the rows of a table, or the lines of a plain text; memory holds one at a time.

    Args:
        path: a CSV, TSV, JSON Lines or plain-text file in UTF-8.
        column: the column (in JSON Lines, the key) of the text; a plain text's lines are its only column.
        quotes: whether quotation marks can enclose a field, see :class:`rnnlab.corpora.rows.RowReader`.

    Raises:
        ConfigError: if the ending tells no format.
        DataError: naming file and line: a missing file, and what :meth:`RowReader.rows` refuses.
    """
    form = format_of(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if form == "txt":
        return (text_row(column, line.rstrip("\r\n"), number) for number, line in decoded_lines(path))
    return RowReader(form, column, None, quotes, prefix="").rows(path)


def text_row(column: str, text: str, line: int) -> Row:
    """Return a row that has no column but its text."""
    return Row(text, None, {column: text}, line)


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
        DataError: from the function, if a row has a column that the header lacks, or can't be written.
    """
    if form == "jsonl":
        return lambda columns: print(json.dumps(columns, ensure_ascii=False), file=file)
    if form not in DELIMITERS:
        raise ConfigError("output: a table of predictions ends in .csv, .tsv or .jsonl.")
    table = csv.writer(file, delimiter=DELIMITERS[form], lineterminator="\n")
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
        try:
            table.writerow([safe.cell(name, _as_field(columns.get(name))) for name in header])
        except csv.Error as error:  # a zero byte, before Python 3.11
            raise DataError(
                f"A row can't be written ({error}): {visible(str(columns))[:200]}. Name an output that ends "
                "in .jsonl."
            ) from error

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

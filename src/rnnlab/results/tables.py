"""A table of runs, in the order asked for, for the terminal, in Markdown, and as CSV."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from rnnlab.errors import ConfigError, nearest
from rnnlab.ranges import typed_value
from rnnlab.results.columns import Columns, cells, header
from rnnlab.results.conditions import is_number
from rnnlab.results.differing_keys import full_name
from rnnlab.results.grouped import Row
from rnnlab.visible import visible

ABOUT_ROWS = ("seconds", "tokens_per_second", "seeds", "status")


def ordered(rows: Sequence[Row], sort: str | None) -> list[Row]:
    """Return the rows sorted by a column; rows that lack it stand last.

    Args:
        rows: to sort.
        sort: a key of the table, a metric or one of ``ABOUT_ROWS``, a ``-`` before it for falling order; None
            sorts by the keys.

    Raises:
        ConfigError: if the table has no such column.
    """
    if sort is None:
        return sorted(rows, key=lambda row: [rank(value) for value in row.values.values()])
    falling = sort.startswith("-")
    known = dict.fromkeys([*ABOUT_ROWS, *(name for row in rows for name in (*row.values, *row.metrics))])
    try:
        name = full_name(sort.removeprefix("-"), known)
    except ConfigError as error:
        hint = nearest(sort.removeprefix("-"), known)
        raise ConfigError(f"sort={sort}: the table has no such column. {hint}") from error
    there = [row for row in rows if cell(row, name) is not None]
    lacking = [row for row in rows if cell(row, name) is None]
    return [*sorted(there, key=lambda row: rank(cell(row, name)), reverse=falling), *lacking]


def cell(row: Row, name: str) -> Any:
    """Return a row's value in a column; None where it has none."""
    if name in ABOUT_ROWS:
        return getattr(row, name)
    if name in row.values:
        return row.values[name]
    found = row.metrics.get(name)
    return None if found is None or found.mean != found.mean else found.mean


def rank(value: Any) -> tuple[int, float, str]:
    """Return what values of all kinds are sorted by: numbers by size, then everything else by its name."""
    return (0, float(value), "") if is_number(value) else (1, 0.0, str(value))


STYLES = {"failed": "red", "broken": "red", "running": "green"}


def terminal_table(rows: Sequence[Row], columns: Columns, names: Sequence[str]) -> Table:
    """Return a table for the terminal.

    Args:
        rows: in their order.
        columns: what it shows.
        names: what each row's run is called, where a row is a single one.
    """
    table = Table()
    texts = {"run", "status", *columns.keys.values()}
    for name in header(columns):
        # A metric's split stands above its name: the figures below are no wider than either.
        head = name.replace("/", "\n", 1) if name in columns.heads else name
        table.add_column(visible(head, lines=True), justify="left" if name in texts else "right")
    for row, name in zip(rows, names, strict=True):
        table.add_row(*map(visible, cells(row, columns, name)), style=STYLES.get(row.status))
    return table


def markdown_table(rows: Sequence[Row], columns: Columns, names: Sequence[str]) -> str:
    """Return a table in Markdown; arguments as :func:`terminal_table` has them."""
    head = header(columns)
    lines = [head, ["---"] * len(head)]
    lines += [cells(row, columns, name) for row, name in zip(rows, names, strict=True)]
    return "".join(f"| {' | '.join(map(escaped, line))} |\n" for line in lines)


def escaped(text: str) -> str:
    """Return a cell that Markdown takes for one.

    >>> escaped("a|b")
    'a\\\\|b'
    """
    return text.replace("|", "\\|").replace("\n", " ")


def csv_table(rows: Sequence[Row], columns: Columns, names: Sequence[str]) -> str:
    """Return a table as CSV: keys by their full names, and numbers in full.

    A metric's mean and standard deviation over seeds (``… std``) have a column each; what is not there is
    empty, as is the deviation of runs that differ in more. Rows of several runs say in ``seeds`` how many
    seeds the figures are of, in ``runs`` how many runs there are.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    spreads = [] if columns.by_run else [f"{name} std" for name in columns.metrics]
    counts = ["seed"] if columns.by_run else ["seeds", "runs"]
    first = ["run"] if columns.by_run else []
    figures = (
        [name for pair in zip(columns.metrics, spreads, strict=True) for name in pair] if spreads else []
    )
    figures = figures or list(columns.metrics)
    writer.writerow([*first, *columns.keys, *figures, *counts, "seconds", "tokens_per_second", "status"])
    for row, name in zip(rows, names, strict=True):
        writer.writerow(
            [
                *([name] if columns.by_run else []),
                *(visible(typed_value(row.values[key]), lines=True) for key in columns.keys),
                *numbers(row, columns),
                *([row.runs[0].config.get("seed", "")] if columns.by_run else [row.seeds, len(row.runs)]),
                exact(row.seconds),
                exact(row.tokens_per_second),
                row.status,
            ]
        )
    return file.getvalue()


def numbers(row: Row, columns: Columns) -> list[Any]:
    """Return a row's metrics in full."""
    found: list[Any] = []
    for name in columns.metrics:
        spread = row.metrics.get(name)
        found.append(None if spread is None else exact(spread.mean))
        if not columns.by_run:
            found.append(None if spread is None else exact(spread.deviation))
    return found


def exact(value: float | None) -> float | None:
    """Return a number in full; what is no number is left empty."""
    return None if value is None or math.isnan(value) else value

"""The order of a table's rows."""

from collections.abc import Sequence
from typing import Any

from rnnlab.errors import ConfigError, nearest
from rnnlab.results.conditions import is_number
from rnnlab.results.differing_keys import full_name
from rnnlab.results.grouped import Row

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

"""A table of runs: its columns, how its cells read, its order; for the terminal, in Markdown, and as CSV."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from rnnlab.errors import ConfigError, nearest
from rnnlab.ranges import typed_value
from rnnlab.results.conditions import is_number
from rnnlab.results.differing_keys import ABSENT, full_name
from rnnlab.results.found_runs import SPLITS, FoundRun
from rnnlab.results.grouped import Row, Spread
from rnnlab.tasks.choosing import LOSS, SPLIT, stated_by
from rnnlab.terminal import duration
from rnnlab.training.score_tables import called
from rnnlab.visible import visible


@dataclass(frozen=True)
class Columns:
    """What a table shows of each row.

    Attributes:
        keys: of the configuration, by their full names, with the names to show.
        metrics: full names, such as ``test/accuracy``.
        by_run: whether a row is a single run, and its folder is shown.
        labels: the classes, where all runs tell the same ones apart.
    """

    keys: dict[str, str]
    metrics: Sequence[str]
    by_run: bool
    labels: Sequence[str] = ()

    @property
    def heads(self) -> list[str]:
        """What the metrics are called."""
        parts = [name.partition("/") for name in self.metrics]
        return [f"{split}/{called(metric, self.labels)}" for split, _, metric in parts]


def metrics_shown(rows: Sequence[Row], wanted: str | None) -> list[str]:
    """Return the metrics of a table, validation before test.

    Args:
        rows: of the table.
        wanted: names, separated by commas: ``accuracy`` of both splits, ``test/accuracy`` of one,
            ``bag of bigrams/accuracy`` of a baseline, ``all``; None for what chooses each task's best
            checkpoint.

    Raises:
        ConfigError: if no row has one of them.
    """
    known = list(dict.fromkeys(name for row in rows for name in row.metrics))
    own = [name for name in known if name.partition("/")[0] in SPLITS]
    if wanted == "all":
        return in_order(known)
    if wanted is None:
        chosen = {chosen_by(run) for row in rows for run in row.runs if run.metrics}
        return in_order([name for name in own if name.partition("/")[2] in chosen])
    found: list[str] = []
    for word in wanted.split(","):
        meant = [name for name in known if word == name or (name in own and word == name.partition("/")[2])]
        if not meant:
            raise ConfigError(f"metrics={word}: no run has it. There are {', '.join(in_order(known))}.")
        found += in_order(meant)
    return list(dict.fromkeys(found))


def chosen_by(run: FoundRun) -> str:
    """Return the metric that chose a run's best checkpoint, without its split; the loss where nothing tells.

    >>> from pathlib import Path
    >>> chosen_by(FoundRun(Path(), "finished", config={"callbacks.checkpoint.monitor": "validation/f1/spam"}))
    'f1/spam'
    """
    said = run.monitor or run.config.get("callbacks.checkpoint.monitor")
    stated = stated_by(str(run.config.get("task._target_", "")))  # of a run of an earlier version
    return str(said or (stated and stated.monitor) or LOSS).removeprefix(SPLIT)


def in_order(names: Sequence[str]) -> list[str]:
    """Return metrics with both splits of each side by side, and the baselines' behind them.

    >>> in_order(["test/loss", "bag of bigrams/loss", "validation/loss", "validation/f1"])
    ['validation/loss', 'test/loss', 'bag of bigrams/loss', 'validation/f1']
    """
    metrics = list(dict.fromkeys(name.partition("/")[2] for name in names))
    sources = dict.fromkeys([*SPLITS, *(name.partition("/")[0] for name in names)])
    return [name for metric in metrics for source in sources if (name := f"{source}/{metric}") in names]


def header(columns: Columns) -> list[str]:
    """Return the names of the columns, to be read."""
    first = ["run"] if columns.by_run else []
    return [*first, *columns.keys.values(), *columns.heads, *middle(columns), "time", "tokens/s", "status"]


def middle(columns: Columns) -> list[str]:
    """Return the column between metrics and time."""
    return ["seed"] if columns.by_run else ["seeds"]


def cells(row: Row, columns: Columns, folder: str) -> list[str]:
    """Return a row's cells, to be read."""
    seed = typed_value(row.runs[0].config.get("seed", ABSENT)) if columns.by_run else seeds_of(row)
    return [
        *([folder] if columns.by_run else []),
        *(short_setting(row.values[key]) for key in columns.keys),
        *(figure(row.metrics.get(name)) for name in columns.metrics),
        seed,
        duration(row.seconds),
        "" if row.tokens_per_second is None else f"{row.tokens_per_second:,.0f}",
        row.status,
    ]


def seeds_of(row: Row) -> str:
    """Return of how many seeds a row is, of how many folds, and of how many settings if it is of several."""
    more = [f"{row.folds} folds"] * bool(row.folds) + [f"{row.settings} settings"] * bool(row.mixed)
    return f"{row.seeds} ({', '.join(more)})" if more else str(row.seeds)


def short_setting(value: Any) -> str:
    """Return a setting to be read: a long number in four digits.

    >>> short_setting(0.0012345678), short_setting(0.001)
    ('0.001235', '0.001')
    """
    return f"{value:.4g}" if isinstance(value, float) and len(repr(value)) > 8 else typed_value(value)


def figure(found: Spread | None) -> str:
    """Return a metric, with its deviation over seeds, or from where to where it goes over settings.

    >>> figure(Spread(0.87654, 0.012, 3)), figure(Spread(123.456, None, 1)), figure(None)
    ('0.8765 ± 0.0120', '123.46', '')
    >>> figure(Spread(0.5, None, 6, (0.25, 0.75)))
    '0.5000 (0.2500 to 0.7500)'
    """
    if found is None:
        return ""
    places = 4 if abs(found.mean) < 10 else 2
    if found.range is not None:
        return f"{found.mean:.{places}f} ({found.range[0]:.{places}f} to {found.range[1]:.{places}f})"
    if found.deviation is None:
        return f"{found.mean:.{places}f}"
    return f"{found.mean:.{places}f} ± {found.deviation:.{places}f}"


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

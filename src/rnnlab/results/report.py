"""``scripts/results.py``: runs under folders as one table, with what is wrong said below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from rnnlab.atomic import write_text
from rnnlab.errors import ConfigError
from rnnlab.results.conditions import conditions
from rnnlab.results.differing_keys import (
    ASIDE,
    FINGERPRINT,
    differing_keys,
    full_name,
    parting_keys,
    short_names,
)
from rnnlab.results.found_runs import Findings, FoundRun, found_under
from rnnlab.results.grouped import Row, grouped
from rnnlab.results.tables import Columns, csv_table, markdown_table, metrics_shown, ordered, terminal_table
from rnnlab.runs.named_runs import folder_names
from rnnlab.runs.text_tables import check_output
from rnnlab.terminal import console, errors, lean, shown, wide
from rnnlab.visible import visible

if TYPE_CHECKING:
    from rnnlab.commands.results import Arguments

NAMED = 3  # keys
ENDINGS = {".csv": "csv", ".md": "markdown", ".markdown": "markdown"}


@dataclass(frozen=True, repr=False)
class Shown:
    """A table before it is drawn.

    Attributes:
        rows: in their order.
        columns: what it shows.
        names: what each row's run is called.
    """

    rows: Sequence[Row]
    columns: Columns
    names: Sequence[str]

    def __repr__(self) -> str:
        """Return the table in Markdown."""
        return markdown_table(self.rows, self.columns, self.names)

    _repr_markdown_ = __repr__  # what a notebook shows


def compared(
    places: Sequence[str | Path],
    where: Sequence[str] = (),
    group: str | None = None,
    each: bool = False,
    sort: str | None = None,
    metrics: str | None = None,
) -> Shown:
    """Return the runs under folders as a table, which a notebook shows.

    Args:
        places: folders of runs, or of sweeps.
        where: conditions such as ``cell=lstm``: which runs; all must hold.
        group: keys that make a row, ``a,b``; None takes all in which the runs differ but the seed.
        each: a row for each run, not for all seeds together.
        sort: a key, a metric, ``seconds``...; ``-key`` for falling order; None sorts by the keys.
        metrics: ``accuracy,test/loss`` or ``all``; None takes what chooses the best checkpoint.

    Raises:
        RunError: if there is no run.
        ConfigError: if a key or a metric is unknown, or options exclude each other.
    """
    check_rows(group, each)
    _, chosen = runs_where(places, where)
    return table_of(readable(chosen), group, each, sort, metrics)


def results(places: Sequence[str], where: Sequence[str], asked: "Arguments") -> None:
    """Show the runs under folders.

    Args:
        places: folders of runs, or of sweeps.
        where: conditions: which runs; all must hold.
        asked: see ``scripts/results.py --help``.

    Raises:
        RunError: if there is no run, or an output exists.
        ConfigError: if a key or a metric is unknown, or options exclude each other.
        RnnlabError: if the disk is full.
    """
    form, group, x = form_of(asked), asked.group, asked.x
    check_rows(group, asked.each)
    if asked.plot is None and (x, asked.metric, asked.baseline) != (None, None, None):
        raise ConfigError("x=…, metric=… and baseline=… are for plot=…, the file of the figure.")
    if asked.output is not None:
        check_output(Path(asked.output), asked.overwrite)
    findings, chosen = runs_where(places, where)
    if asked.plot is not None:
        # Here, and not above: matplotlib takes a second to import.
        from rnnlab.results.plot import draw, takes_rate

        draw(readable(chosen), Path(asked.plot), x, asked.metric, asked.baseline, asked.overwrite)
        if group is None and not asked.each and x is not None:  # the figure's points, in figures
            group = (x.partition(",")[2] or None) if takes_rate(x) else x
    metrics = asked.metrics if form == "table" else asked.metrics or "all"
    found = table_of(readable(chosen), group, asked.each, asked.sort, metrics)
    put(found, form, asked.output)
    tell_mixed(found.rows)
    tell(findings, chosen)


def check_rows(group: str | None, each: bool) -> None:
    """Check that a row is one thing.

    Raises:
        ConfigError: if it is to be a run and a group of runs.
    """
    if each and group is not None:
        raise ConfigError("each=true shows every run; group=… puts several in a row. Choose one.")


def runs_where(places: Sequence[str | Path], where: Sequence[str]) -> tuple[Findings, list[FoundRun]]:
    """Return what lies under folders, and those of the runs that meet the conditions.

    Raises:
        RunError: if there is no run.
        ConfigError: if a condition is none, or no run meets them.
    """
    findings = found_under([Path(place) for place in places])
    tests = conditions(where, findings.runs)
    chosen = [run for run in findings.runs if all(test.holds(run) for test in tests)]
    if not chosen and where:
        raise ConfigError(f"None of the {len(findings.runs)} runs meets where={' where='.join(where)}.")
    return findings, chosen


def form_of(asked: "Arguments") -> str:
    """Return ``table``, ``csv`` or ``markdown``: by the output's ending, if there is one.

    Raises:
        ConfigError: if that is none of them.
    """
    if asked.output is None:
        return asked.format
    form = ENDINGS.get(Path(asked.output).suffix.lower())
    if form is None:
        raise ConfigError(f"output={asked.output}: its name must end in one of {', '.join(ENDINGS)}.")
    return form


def readable(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """Return the runs whose configuration is known: they have a place in the table."""
    return [run for run in runs if run.config]


def table_of(
    runs: Sequence[FoundRun], group: str | None, each: bool, sort: str | None, metrics: str | None
) -> Shown:
    """Return the table: a row for each run, or for those that differ in nothing but their seed."""
    known = list(dict.fromkeys(key for run in runs for key in run.config))
    keys = telling_keys(runs) if group is None else [full_name(word, known) for word in group.split(",")]
    keys += parting_keys(keys, [run.config for run in runs if not run.is_partial])
    lots = [[run] for run in runs] if each else [runs]
    rows = ordered([row for lot in lots for row in grouped(lot, keys)], sort)
    classes = {run.labels for run in runs if run.status == "finished"}
    labels = classes.pop() if len(classes) == 1 else ()
    columns = Columns(short_names(keys, known), metrics_shown(rows, metrics), each, labels)
    return Shown(rows, columns, folder_names([row.runs[0].path for row in rows]))


def telling_keys(runs: Sequence[FoundRun]) -> list[str]:
    """Return the keys in which runs differ.

    Of a run that is known by the words of its job, those in which it is like no other: it may be silent about
    the rest.
    """
    complete = [run.config for run in runs if not run.is_partial]
    keys = differing_keys(complete or [run.config for run in runs])
    for run in runs:
        if run.is_partial and complete:
            news = [
                key for key, value in run.config.items() if all(one.get(key) != value for one in complete)
            ]
            keys += [key for key in news if key not in (*keys, *ASIDE)]
    return keys


def put(found: Shown, form: str, output: str | None) -> None:
    """Print the table, or write it."""
    parts = (found.rows, found.columns, found.names)
    if form == "table":
        show(terminal_table(*parts))
        return
    text = csv_table(*parts) if form == "csv" else markdown_table(*parts)
    if output is None:
        print(visible(text, lines=True), end="")
        return
    write_text(Path(output), text)
    errors.print(f"Table  {output}")


def show(table: Table) -> None:
    """Print a table as wide as it is: cells in crumbs can't be read, wrapped or cut lines can."""
    width = wide().measure(table).maximum
    if width > console.width:
        lean(table)
        width = wide().measure(table).maximum
    wide(max(width, console.width)).print(table, crop=False)
    if width > console.width and console.is_terminal:
        errors.print("Wider than the terminal: choose metrics=… or group=…, or write output=results.csv.")


def tell_mixed(rows: Sequence[Row]) -> None:
    """Say which rows are of several settings: what spreads there is not chance."""
    mixed = list(dict.fromkeys(key for row in rows for key in row.mixed))
    if mixed:
        more = f" and {len(mixed) - NAMED} more keys" if len(mixed) > NAMED else ""
        errors.print(
            f"Rows of several settings ({', '.join(mixed[:NAMED])}{more}) have no ± over seeds, but the "
            "lowest and the highest figure."
        )


def tell(findings: Findings, chosen: Sequence[FoundRun]) -> None:
    """Say what the table can't: failures, broken folders, jobs that are still to come."""
    kept = {any(key.startswith(FINGERPRINT) for key in run.config) for run in chosen if run.metrics}
    if len(kept) > 1:
        errors.print(
            "Runs without a fingerprint of their data are an older rnnlab's and have rows of their own."
        )
    if any(run.metrics and run.status != "finished" for run in chosen):
        errors.print("Of runs that are not finished: the best validation so far.")
    # What has no configuration meets no condition, and is told all the same.
    unread = [run for run in findings.runs if not run.config]
    for run in [*readable(chosen), *unread]:
        if run.reason:
            told = run.reason.splitlines()[0]
            errors.print(f"{run.status}: {shown(run.path)}: {told}", style="red")
        elif not run.config:
            told = f"{run.status}: {shown(run.path)} has no configuration yet."
            errors.print(told, style="yellow")
    for problem in findings.problems:
        errors.print(problem, style="yellow")
    for path in findings.left_out:
        errors.print(f"Left out, as the sweep was started over: {path}")

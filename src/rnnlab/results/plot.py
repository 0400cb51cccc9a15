"""A metric of many runs against one or two keys of their configuration."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from rnnlab.errors import ConfigError
from rnnlab.figures.metric_by_key import Point, metric_by_key_figure
from rnnlab.figures.saved import save
from rnnlab.results.columns import metrics_shown, short_setting
from rnnlab.results.conditions import is_number
from rnnlab.results.differing_keys import differing_keys, full_name, short_names
from rnnlab.results.found_runs import FoundRun
from rnnlab.results.grouped import grouped
from rnnlab.results.ordering import ordered
from rnnlab.runs.outputs import check_output
from rnnlab.terminal import errors


def draw(runs: Sequence[FoundRun], target: Path, x: str | None, metric: str | None, overwrite: bool) -> None:
    """Draw the figure and write it as PNG and SVG.

    Args:
        runs: with their configurations.
        target: the figure's file; the other kind lies beside it.
        x: see :func:`figure_of_runs`.
        metric: see there.
        overwrite: whether the files may exist.

    Raises:
        ConfigError: if the ending tells no figure, or keys or metric are unknown, too many or none.
        RunError: if a file exists.
    """
    if target.suffix.lower() not in (".png", ".svg"):
        raise ConfigError(f"plot={target}: its name must end in .png or .svg.")
    files = [target.with_suffix(ending) for ending in (".png", ".svg")]
    for file in files:
        check_output(file, overwrite)
    save(figure_of_runs(runs, x, metric), target.parent, target.stem)
    errors.print(f"Figure  {files[0]} and {files[1].name}", markup=False)


def figure_of_runs(runs: Sequence[FoundRun], x: str | None = None, metric: str | None = None) -> Figure:
    """Return a metric against settings, with its spread over the runs that differ in their seed alone.

    Args:
        runs: with their configurations.
        x: one key, or two separated by a comma, of which the second makes the lines; None takes those in
            which the runs differ.
        metric: such as ``accuracy`` or ``validation/loss``; without a split, the test's if any run has it.
            None takes what chooses the task's best checkpoint.

    Raises:
        ConfigError: if keys or metric are unknown, too many or none.
    """
    known = list(dict.fromkeys(key for run in runs for key in run.config))
    keys = chosen_keys(runs, x, known)
    rows = ordered(grouped(runs, keys), None)
    name = metrics_shown(rows, metric)
    if not name:
        raise ConfigError("No run has a metric yet: there is nothing to draw.")
    wanted = name[-1]  # of the test, where there is one: it stands behind the validation's
    first, *second = keys
    named = short_names(keys, known)
    lines: dict[str, list[Point]] = {}
    for row in rows:
        found = row.metrics.get(wanted)
        if found is None:
            continue
        at = row.values[first]
        line = f"{named[second[0]]} {short_setting(row.values[second[0]])}" if second else ""
        place = float(at) if is_number(at) else short_setting(at)
        lines.setdefault(line, []).append(Point(place, found.mean, found.deviation, found.count))
    return metric_by_key_figure(wanted, named[first], lines)


def chosen_keys(runs: Sequence[FoundRun], x: str | None, known: Sequence[str]) -> list[str]:
    """Return the one or two keys that the figure is drawn against.

    Raises:
        ConfigError: if there are none or more.
    """
    if x is not None:
        keys = [full_name(word, [*known]) for word in x.split(",")]
    else:
        keys = differing_keys([run.config for run in runs if not run.is_partial])
    if not keys:
        raise ConfigError("The runs differ in nothing but their seeds: name a key to draw against, x=…")
    if len(keys) > 2:
        raise ConfigError(f"x={x or ''}: choose one key or two of {', '.join(keys)}.")
    return keys

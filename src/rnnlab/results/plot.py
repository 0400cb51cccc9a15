"""A metric of many runs against one or two keys of their configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from rnnlab.errors import ConfigError, nearest
from rnnlab.figures.drawing import save
from rnnlab.figures.metric_by_key import Point, metric_by_key_figure
from rnnlab.results.conditions import is_number
from rnnlab.results.differing_keys import differing_keys, full_name, parting_keys, short_names
from rnnlab.results.found_runs import SPLITS, FoundRun
from rnnlab.results.grouped import Row, Spread, chance_of, grouped, spread
from rnnlab.results.tables import metrics_shown, ordered, short_setting
from rnnlab.runs.text_tables import check_output
from rnnlab.terminal import errors

RATE = "tokens_per_second"
"""What a figure may have from left to right instead of a key: the speed of training, of each row the mean."""

SAID = {
    "data.labelled": "labelled documents",
    "optimizer.lr": "learning rate",
    RATE: "tokens per second in training",
}
"""What keys are called on an axis, where their last word alone does not say it."""


def draw(
    runs: Sequence[FoundRun],
    target: Path,
    x: str | None,
    metric: str | None,
    baseline: str | None,
    overwrite: bool,
) -> None:
    """Draw the figure and write it as PNG and SVG.

    The other kind lies beside the one that is named; see :func:`figure_of_runs` for the figure.

    Raises:
        ConfigError: if the ending tells no figure, or keys or metric are unknown, too many or none.
        RunError: if a file exists.
    """
    if target.suffix.lower() not in (".png", ".svg"):
        raise ConfigError(f"plot={target}: its name must end in .png or .svg.")
    files = [target.with_suffix(ending) for ending in (".png", ".svg")]
    for file in files:
        check_output(file, overwrite)
    save(figure_of_runs(runs, x, metric, baseline), target.parent, target.stem)
    errors.print(f"Figure  {files[0]} and {files[1].name}")


def figure_of_runs(
    runs: Sequence[FoundRun], x: str | None = None, metric: str | None = None, baseline: str | None = None
) -> Figure:
    """Return a metric against settings, with its spread over the runs that differ in their seed alone.

    Args:
        runs: with their configurations.
        x: one key, or two separated by a comma, of which the second makes the lines; None takes those in
            which the runs differ. ``tokens_per_second,cell`` shows each cell's metric against its speed.
        metric: such as ``accuracy`` or ``validation/loss``; without a split, the test's if any run has it.
            None takes what chooses the task's best checkpoint.
        baseline: a simple method that was scored beside the runs, such as ``bag of bigrams``: another line.

    Raises:
        ConfigError: if keys, metric or baseline are unknown, too many or none.
    """
    known = list(dict.fromkeys(key for run in runs for key in run.config))
    keys = chosen_keys(runs, x, known)
    check_one_origin(runs, keys)
    rows = ordered(grouped(runs, keys), None)
    shown = metrics_shown(rows, metric)
    # Of the test, where there is one: it stands behind the validation's.
    wanted = next((name for name in reversed(shown) if name.partition("/")[0] in SPLITS), None)
    if wanted is None:
        raise ConfigError("No run has a metric yet: there is nothing to draw.")
    first, *second = [RATE, *keys] if takes_rate(x) else keys
    named = {**short_names(keys, known), RATE: RATE}
    lines: dict[str, list[Point]] = {}
    for row in rows:
        place = row.tokens_per_second if first == RATE else row.values[first]
        found = None if first == RATE and place is None else row.metrics.get(wanted)
        if found is not None:
            line = line_name(named[second[0]], row.values[second[0]]) if second else ""
            lines.setdefault(line, []).append(point(place, found))
    if not lines:
        raise ConfigError("No run tells its tokens per second: there is nothing to draw against.")
    if baseline is not None and first == RATE:
        raise ConfigError(f"baseline={baseline}: a simple method is not trained at so many tokens a second.")
    if baseline is not None:
        check_one_origin(runs, [first])
        lines[baseline] = baseline_line(ordered(grouped(runs, [first]), None), first, baseline, wanted)
    return metric_by_key_figure(wanted, SAID.get(first, named[first].replace("_", " ")), lines)


def check_one_origin(runs: Sequence[FoundRun], keys: Sequence[str]) -> None:
    """Check that no point is the mean of runs of two corpora, or of two codes.

    Raises:
        ConfigError: if one is.
    """
    configs = [run.config for run in runs if not run.is_partial]
    for key in parting_keys(keys, configs):
        found = dict.fromkeys(str(config.get(key, "none")) for config in configs)
        raise ConfigError(
            f"The runs that would be one point were made from different data or code ({key}: "
            f"{', '.join(found)}). Draw them apart: where={key}={next(iter(found))}, or x=…,{key}"
        )


def line_name(key: str, value: object) -> str:
    """Return what a line is called.

    >>> line_name("cell", "gru"), line_name("init_from", None), line_name("init_from", "logs/lm")
    ('cell gru', 'from scratch', 'pretrained (lm)')
    """
    if key == "init_from":
        return "from scratch" if value is None else f"pretrained ({Path(str(value)).name})"
    return f"{key} {short_setting(value)}"


def point(at: Any, found: Spread) -> Point:
    """Return a point of the figure."""
    place = float(at) if is_number(at) else short_setting(at)
    return Point(place, found.mean, found.deviation, found.count, is_mixed=found.range is not None)


def baseline_line(rows: Sequence[Row], key: str, baseline: str, wanted: str) -> list[Point]:
    """Return what a simple method reached at each setting; runs of one seed have the same documents.

    Raises:
        ConfigError: if no run was scored beside it, or the metric is not of the test split.
    """
    if not wanted.startswith("test/"):
        raise ConfigError(
            f"baseline={baseline}: baselines are scored on the test split, metric={wanted} is not."
        )
    name = f"{baseline}/{wanted.partition('/')[2]}"
    points = []
    for row in rows:
        found = {chance_of(run): run.metrics[name] for run in row.counted if name in run.metrics}
        if found:
            points.append(point(row.values[key], spread(list(found.values()))))
    if not points:
        metrics = {each for row in rows for each in row.metrics}
        known = sorted({each.partition("/")[0] for each in metrics} - set(SPLITS))
        hint = nearest(baseline, known) if known else "None was scored beside any."
        raise ConfigError(f"baseline={baseline}: no run was scored beside it. {hint}")
    return points


def chosen_keys(runs: Sequence[FoundRun], x: str | None, known: Sequence[str]) -> list[str]:
    """Return the one or two keys that the figure is drawn against.

    Raises:
        ConfigError: if there are none or more.
    """
    words = [word for word in (x or "").split(",") if word]
    by_rate = takes_rate(x)
    if words[by_rate:]:
        keys = [full_name(word, [*known], also=() if by_rate else (RATE,)) for word in words[by_rate:]]
    else:
        keys = differing_keys([run.config for run in runs if not run.is_partial])
    if not keys:
        raise ConfigError("The runs differ in nothing but their seeds: name a key to draw against, x=…")
    if by_rate and len(keys) > 1:
        raise ConfigError(f"x={x}: choose one key beside {RATE}, of {', '.join(keys)}.")
    if len(keys) > 2:
        raise ConfigError(f"x={x or ''}: choose one key or two of {', '.join(keys)}.")
    return keys


def takes_rate(x: str | None) -> bool:
    """Return whether the figure has the speed from left to right."""
    return x is not None and x.split(",")[0] == RATE

"""The figures of one run or several: a table with mean and spread, a comparison with training, a file.

Several classifiers may answer as one, too, by the mean of their probabilities: such as those of both
directions of reading.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from rnnlab.atomic import write_text
from rnnlab.command_line import differences
from rnnlab.errors import ConfigError, DamagedFileError, RunError
from rnnlab.files.bounded import within
from rnnlab.named_classes import trusted_packages
from rnnlab.runs.evaluation import Beside, asked_beside, evaluated, on_data, prepared_split, result_of
from rnnlab.runs.load import open_run
from rnnlab.runs.named_runs import folder_names, named
from rnnlab.runs.text_tables import check_output
from rnnlab.tasks.answers import Answered
from rnnlab.tasks.figures import Recorder
from rnnlab.terminal import console, is_too_wide, print_table, table_of
from rnnlab.training.hardware import check_accelerator
from rnnlab.training.report import part_of_it
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.score_tables import called, figure, over_all, table_by_class


def evaluated_together(
    paths: Sequence[str | Path],
    split: str = "test",
    data: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    device: str | None = None,
    trust: Sequence[str] = (),
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return each classifier's figures on a split, and those of the mean of their probabilities.

    Each reads the text by its own tokenizer and vocabulary. Arguments, and what is returned for each, are as
    :func:`rnnlab.runs.evaluation.evaluated` has them; there are two runs at least.

    Raises:
        RunError: if a run can't be used, or is no classifier.
        ConfigError: if there is only one, or their classes or documents are not the same.
    """
    if len(paths) < 2:
        raise ConfigError("ensemble=true needs at least two runs: run=… run=…")
    found: list[dict[str, Any]] = []
    answers: list[Answered] = []
    for path in paths:
        result, answer = answered(path, split, data, labels, device, trust)
        first = answers[0] if answers else answer
        if answer.classes != first.classes or not np.array_equal(answer.targets, first.targets):
            raise ConfigError(
                f"{paths[0]} and {path} do not answer the same question: their classes or their documents "
                "differ. Name the data for all: data=…"
            )
        found.append(result)
        answers.append(answer)
    mean = np.asarray(np.mean([answer.probabilities for answer in answers], axis=0, dtype=np.float64))
    return found, answers[0].scores(mean)


def answered(
    path: str | Path,
    split: str,
    data: Mapping[str, Any] | None,
    labels: Sequence[str],
    device: str | None,
    trust: Sequence[str],
) -> tuple[dict[str, Any], Answered]:
    """Return a classifier's figures, and its answers."""
    run = open_run(path, trust)
    config = on_data(run.config, data)
    accelerator = device or str(config["trainer"]["accelerator"])
    check_accelerator(accelerator)
    model = run.task.trained_model()(run, "cpu" if accelerator == "cpu" else "auto")
    if not model.tells_classes:
        raise RunError(f"{path} is a run of task={run.task_name}; ensemble=true is for task=sentiment.")
    module = prepared_split(run, config, split, labels)
    answer = model.answered(module)
    scores = answer.scores(answer.probabilities)
    return result_of(path, run, config, module, split, 1.0, scores), answer


def evaluate_runs(
    runs: Sequence[str],
    split: str = "test",
    data: dict[str, Any] | None = None,
    labels: str | None = None,
    output: str | None = None,
    overwrite: bool = False,
    device: str | None = None,
    trust: str | None = None,
    ensemble: bool = False,
    stride: int | None = None,
    task: Mapping[str, Any] | None = None,
    beside: Beside | None = None,
) -> dict[str, Any]:
    """Evaluate runs, print one table, and write the figures.

    Further arguments are as :func:`rnnlab.runs.evaluation.evaluated` has them.

    Args:
        runs: run folders, checkpoint files, or patterns of them.
        labels: what the data calls the model's classes, separated by commas.
        output: the file for the figures, beside which a folder takes the curves; None writes
            ``evaluation_<data>_<split>.json``, anew each time, into the folder of a single run.
        overwrite: whether ``output`` may exist.
        trust: packages besides rnnlab whose classes the checkpoint may name, separated by commas.
        ensemble: score the mean of the runs' probabilities, too.
        beside: figures that are asked besides, each in a table of its own.

    Returns:
        What is written: ``runs`` (see :func:`rnnlab.runs.evaluation.evaluated`), ``mean`` and ``spread``
        (sample standard deviation) of each metric, and perhaps the ``ensemble``'s.

    Raises:
        RnnlabError: for whatever the user can mend.
    """
    if split not in ("validation", "test"):
        raise ConfigError(f"split={split}: evaluate on validation or test.")
    asked = beside or Beside()
    asked.check(split, data)
    if ensemble and (asked.adapts or asked.together):
        raise ConfigError("ensemble=true is of the networks alone: leave cache, dynamic and together out.")
    paths = [path for pattern in runs for path in named(pattern)]
    if output is not None:
        check_output(Path(output), overwrite)
        if curves_folder(Path(output)).exists() and not overwrite:
            raise RunError(
                f"{curves_folder(Path(output))} exists. Name another output, or pass overwrite=true."
            )
    names = tuple(labels.split(",")) if labels else ()
    trusted = trusted_packages(trust)
    found: list[dict[str, Any]] = []
    recorders: dict[str, Recorder] = {}
    together: dict[str, float] | None = None
    if ensemble:
        found, together = evaluated_together(paths, split, data, names, device, trusted)
    for path in [] if ensemble else paths:
        others = asked_beside(path, split, asked, device, trusted) if asked.adapts or asked.together else {}
        found.append(evaluated(path, split, data, names, device, trusted, recorders, stride, task) | others)
        if found[-1]["data"] != found[0]["data"]:
            raise ConfigError(
                f"{paths[0]} was trained on {found[0]['data']}, {path} on {found[-1]['data']}: their figures "
                "compare with nothing. Name the data for all (data=…), or evaluate them apart."
            )
        if set(found[-1]["metrics"]) != set(found[0]["metrics"]):
            raise ConfigError(
                f"{paths[0]} and {path} have other metrics: there is no mean of them. Evaluate them apart."
            )
    report = summary(found)
    if together is not None:
        report["ensemble"] = together
    show(report)
    if asked.adapts or asked.together:
        show_beside(report)
    for recorder in recorders.values():
        for part in recorder.tables():
            print_table(part)
    if data is None and stride is None and not ensemble and not task:
        for result in found:
            compare_with_training(result)
    target = report_file(found, output)
    if target is not None:
        write_text(target, json.dumps(report, indent=2, allow_nan=True) + "\n")
        console.print(f"Figures  {target}")
    if target is not None and recorders:
        called = dict(zip(recorders, folder_names([Path(run) for run in recorders]), strict=True))
        first = next(iter(recorders.values()))
        first.write({called[run]: kept.scored for run, kept in recorders.items()}, curves_folder(target))
        if curves_folder(target).is_dir():  # of some tasks there are none
            console.print(f"Curves   {curves_folder(target)}")
    return report


def curves_folder(report: Path) -> Path:
    """Return where the curves of a report lie: beside it, in a folder of its name.

    >>> curves_folder(Path("run/evaluation_imdb_test.json")).as_posix()
    'run/evaluation_imdb_test_curves'
    """
    return report.with_name(f"{report.stem}_curves")


def report_file(results: Sequence[dict[str, Any]], output: str | None) -> Path | None:
    """Return where the figures go: ``output``, else into the folder of a single run, else nowhere.

    Raises:
        RunError: if the name of the run's data would lead elsewhere.
    """
    if output is not None:
        return Path(output)
    folder = Path(results[0]["run"])
    if len(results) > 1 or not folder.is_dir():
        return None
    name = f"evaluation_{results[0]['data']}_{results[0]['split']}.json"
    return within(folder, name, "The file of figures, named by the run's data.name,")


def summary(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the results with mean and spread (sample standard deviation) of the metrics that all have."""
    shared = [name for name in results[0]["metrics"] if all(name in result["metrics"] for result in results)]
    columns = {name: [result["metrics"][name] for result in results] for name in shared}
    return {
        "runs": list(results),
        "mean": {name: fmean(values) for name, values in columns.items()},
        "spread": {name: deviation(values) for name, values in columns.items()},
    }


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation, 0 of a single value, NaN where one is no number."""
    if not all(map(math.isfinite, values)):
        return math.nan
    return stdev(values) if len(values) > 1 else 0.0


def show(report: dict[str, Any]) -> None:
    """Print a row for each run, and mean and spread below several."""
    runs = report["runs"]
    first = runs[0]
    title = f"{first['split']} split of {first['data']}: {first['documents']:,} "
    if first["out_of_vocabulary"] is None:
        title += "sequences"
    else:
        title += f"documents, {first['out_of_vocabulary']:.1%} of the tokens unknown to the model"
    names, labels = over_all(report["mean"], first["labels"]), first["labels"]
    titles = folder_names([Path(run["run"]) for run in runs])
    parts = [(name, str(run["seed"]), run["metrics"]) for name, run in zip(titles, runs, strict=True)]
    if len(runs) > 1:
        parts += [("mean", "", report["mean"]), ("± spread", "", report["spread"])]
    if "ensemble" in report:
        parts.append(("ensemble", "", report["ensemble"]))
    rows = [[name, seed, *(figure(key, values[key]) for key in names)] for name, seed, values in parts]
    columns = ["seed", *(called(name, labels) for name in names)]
    table = figures_table(f"{title}{part_of_it(first['limit'])}", rows, columns)
    print_table(table)
    by_class = table_by_class({key: mean_cell(report, key) for key in report["mean"]}, labels)
    if by_class is not None:
        print_table(by_class)


def figures_table(title: str, rows: Sequence[Sequence[str]], columns: Sequence[str]) -> Table:
    """Return a table with a row for each run; with one for each figure where those are more and don't fit.

    Args:
        title: of the table.
        rows: a name and its cells, of each run, and without a seed of what is summed up over them.
        columns: what the cells are called, the seed first.
    """
    table = table_of(title, "run", columns)
    for name, seed, *cells in rows:
        table.add_row(Text(name), seed, *cells, style=None if seed else "bold")
    if len(rows) >= len(columns) or not is_too_wide(table):
        return table
    turned = table_of(title, "", [name for name, *_ in rows])
    for column, *cells in zip(["", *columns], *rows, strict=True):
        if column:  # the names are the head
            turned.add_row(Text(column), *cells)
    return turned


def show_beside(report: Mapping[str, Any]) -> None:
    """Print, apart from the static figures, those that adapt or are mixed with a simple method's."""
    runs = report["runs"]
    for name, run in zip(folder_names([Path(run["run"]) for run in runs]), runs, strict=True):
        rows = dict(run.get("together", {}))
        if "adaptive" in run:
            part = run["adaptive"]
            called = f"adaptive ({part['ways']})"
            rows[called] = {key: part[key] for key in ("perplexity", "loss")}
            if "together" in part:
                rows[f"{called} with the trigrams"] = part["together"]
            tuned = ", ".join(f"{key}={value:.4g}" for key, value in part["tuned"].items())
            console.print(f"{name}, chosen on validation: {tuned}")
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        apart = ", not to be compared with static figures" if "adaptive" in run else ""
        table = table_of(f"{name}, {run['split']} split{apart}", "", columns)
        for title, row in rows.items():
            table.add_row(title, *(figure(key, row[key]) if key in row else "" for key in columns))
        print_table(table)


def mean_cell(report: Mapping[str, Any], metric: str) -> str:
    """Return a metric's mean, and its spread where there are several runs."""
    mean = figure(metric, report["mean"][metric])
    return mean if len(report["runs"]) == 1 else f"{mean} ± {figure(metric, report['spread'][metric])}"


def compare_with_training(result: dict[str, Any]) -> None:
    """Say whether the figures are those that training wrote, and which are not."""
    folder = RunFolder(Path(result["run"]))
    metrics_file = folder.metrics_file
    if not metrics_file.exists():
        return
    try:
        before = folder.metrics().get(result["split"]) or {}
    except DamagedFileError as error:
        console.print(f"Training's figures are not compared with: {error}", style="yellow")
        return
    changed = [
        f"{name} {before.get(name)} in training, {result['metrics'].get(name)} now"
        for name in differences(result["metrics"], before)
        if not both_nan(before.get(name), result["metrics"].get(name))
    ]
    if not changed:
        console.print(f"Equal to training's, digit for digit: {metrics_file}")
        return
    console.print(f"{metrics_file} has other figures: {'; '.join(changed)}.", style="yellow")
    console.print(
        "In the last digits that is another machine or number of threads; beyond, the data has changed.",
        style="yellow",
    )


def both_nan(one: Any, other: Any) -> bool:
    """Return whether both are NaN, which is unequal to itself."""
    return all(isinstance(value, float) and math.isnan(value) for value in (one, other))

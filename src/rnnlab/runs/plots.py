"""The figures of ``scripts/plot.py``: of one run as TensorBoard shows them, or of several in one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from matplotlib.figure import Figure

from rnnlab.errors import ConfigError, DamagedFileError, RnnlabError, RunError
from rnnlab.figures.documents import ScoredDocuments, accuracy_by_length_figure, confusion_figure
from rnnlab.figures.drawing import as_file, save
from rnnlab.figures.learning_curves import Series, learning_curve_figure
from rnnlab.figures.ranking import precision_recall_figure, reliability_figure, roc_figure
from rnnlab.figures.tokens import ScoredTokens, perplexity_by_frequency_figure
from rnnlab.files.event_file import curves_in
from rnnlab.runs.named_runs import run_folders, short_names
from rnnlab.runs.text_tables import check_output
from rnnlab.terminal import console, errors, shown
from rnnlab.training.run_folder import RunFolder

Scored = TypeVar("Scored")

SPLITS = ("validation", "test")
WITHIN_EPOCHS = {"step/loss": "loss of single steps", "optimizer/learning_rate": "learning rate"}
"""Tags that are drawn besides the metrics, and what they are called."""


class Drawing(NamedTuple):
    """A figure and the name of its files."""

    name: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class PlottedRun:
    """What a run folder holds for figures.

    Attributes:
        name: what tells the run from the others.
        folder: the run folder.
        scalars: its series by tag.
        documents: what a classifier said, by split.
        tokens: what a language model predicted, by split.
        problems: sentences on what is broken or missing.
    """

    name: str
    folder: RunFolder
    scalars: Mapping[str, Series]
    documents: Mapping[str, ScoredDocuments]
    tokens: Mapping[str, ScoredTokens]
    problems: Sequence[str]


def plot_runs(
    patterns: Sequence[str], output: str | None = None, split: str = "test", overwrite: bool = False
) -> None:
    """Draw the figures of runs, report what is broken or no number, and name the files.

    Args:
        patterns: run folders, patterns of them, or folders that hold some.
        output: the folder for the figures; None takes a single run's own ``figures``.
        split: of several runs, what their answers are compared on: ``validation`` or ``test``.
        overwrite: whether files in ``output`` may be replaced.

    Raises:
        RnnlabError: for whatever the user can mend.
    """
    folders = run_folders(patterns)
    if output is None and len(folders) > 1:
        raise ConfigError("Several runs in one figure need output=…, a folder for the figures.")
    target = folders[0].path / "figures" if output is None else Path(output)
    names = short_names([folder.path for folder in folders])
    runs = [read_run(folder, name) for folder, name in zip(folders, names, strict=True)]
    for run in runs:
        for problem in (*run.problems, *not_numbers(run)):
            errors.print(problem, style="yellow")
    drawings = list(drawings_of(runs, split))
    if not drawings:
        raise RunError("There is nothing to draw: " + " ".join(p for run in runs for p in run.problems))
    for name in (f"{drawing.name}.{ending}" for drawing in drawings for ending in ("png", "svg")):
        if output is not None:
            check_output(target / name, overwrite)
    for drawing in drawings:
        save(drawing.draw(), target, drawing.name)
    console.print(f"{len(drawings)} figures, each as PNG and SVG, in {shown(target)}:")
    console.print("  " + ", ".join(drawing.name for drawing in drawings))


def read_run(folder: RunFolder, name: str) -> PlottedRun:
    """Read what a run folder holds for figures."""
    folder.config()
    scalars, problems = curves_in(folder.curves)
    if not scalars and not problems:
        problems.append(
            f"{folder.path} has no event files: it was trained with logger=none, or has not begun."
        )
    documents = read_splits(folder.path, "documents", ScoredDocuments.load, problems)
    tokens = read_splits(folder.path, "tokens", ScoredTokens.load, problems)
    if not folder.metrics_file.is_file():
        problems.append(f"{folder.path} has not finished: what is drawn of its answers comes at the end.")
    return PlottedRun(name, folder, scalars, documents, tokens, problems)


def read_splits(
    run: Path, kind: str, load: Callable[[Path], Scored], problems: list[str]
) -> dict[str, Scored]:
    """Return what was kept of the splits' scoring; add to ``problems`` what is damaged."""
    found = {}
    for split in SPLITS:
        path = run / "figures" / f"{kind}_{split}.npz"
        if path.exists():
            try:
                found[split] = load(path)
            except DamagedFileError as error:
                problems.append(f"{error} It is left out.")
    return found


def not_numbers(run: PlottedRun) -> list[str]:
    """Return a sentence for each metric with values that are no numbers."""
    return [
        f"{run.name}: {series.gaps} of {len(series.values)} values of {tag} are no numbers; they are gaps."
        for tag, series in run.scalars.items()
        if series.gaps and (tag.startswith(("train/", "validation/")) or tag in WITHIN_EPOCHS)
    ]


def drawings_of(runs: Sequence[PlottedRun], split: str) -> Iterator[Drawing]:
    """Yield the figures that there is something for."""
    yield from curves(runs)
    documents = alone_or_together(runs, "documents", split)
    alike = of_the_same_classes(documents)
    if alike:
        yield Drawing("roc", lambda: roc_figure(alike))
        yield Drawing("precision_recall", lambda: precision_recall_figure(alike))
        yield Drawing("reliability", lambda: reliability_figure(alike))
        yield Drawing("accuracy_by_length", lambda: accuracy_by_length_figure(alike))
    for name, scored in documents.items():
        yield Drawing(f"confusion_{as_file(name)}", partial(confusion_figure, scored, name))
    tokens = alone_or_together(runs, "tokens", split)
    if tokens:
        yield Drawing("perplexity_by_frequency", lambda: perplexity_by_frequency_figure(tokens))
    if len(runs) == 1:
        yield from diagnostics(runs[0].folder.path)


def curves(runs: Sequence[PlottedRun]) -> Iterator[Drawing]:
    """Yield the learning curves."""
    metrics = dict.fromkeys(
        tag.partition("/")[2]
        for run in runs
        for tag in run.scalars
        if tag.startswith(("train/", "validation/")) and tag.partition("/")[2] != "tokens"
    )
    for metric in metrics:
        found = {run.name: splits_of(run, metric) for run in runs if splits_of(run, metric)}
        yield Drawing(f"curve_{as_file(metric)}", partial(learning_curve_figure, metric, found))
    for tag, name in WITHIN_EPOCHS.items():
        lines = {run.name: {name: run.scalars[tag]} for run in runs if tag in run.scalars}
        if lines:
            yield Drawing(f"curve_{as_file(name)}", partial(learning_curve_figure, name, lines))
    layers = {
        tag.partition("/")[2]: series
        for tag, series in runs[0].scalars.items()
        if tag.startswith("gradient_norm/")
    }
    if len(runs) == 1 and layers:
        told = {runs[0].name: layers}
        yield Drawing("curve_gradient_norms", partial(learning_curve_figure, "gradient norm by layer", told))


def splits_of(run: PlottedRun, metric: str) -> dict[str, Series]:
    """Return a metric's series of both splits."""
    tags = {split: f"{split}/{metric}" for split in ("train", "validation")}
    return {split: run.scalars[tag] for split, tag in tags.items() if tag in run.scalars}


def alone_or_together(runs: Sequence[PlottedRun], kind: str, split: str) -> dict[str, Any]:
    """Return a single run's splits by their names, or one split of several runs by theirs."""
    if len(runs) == 1:
        return dict(getattr(runs[0], kind))
    return {run.name: getattr(run, kind)[split] for run in runs if split in getattr(run, kind)}


def of_the_same_classes(documents: Mapping[str, ScoredDocuments]) -> dict[str, ScoredDocuments]:
    """Return those that tell the first one's classes; say which are left out."""
    if not documents:
        return {}
    classes = next(iter(documents.values())).classes
    others = [name for name, found in documents.items() if found.classes != classes]
    if others:
        told = f"Left out of what is drawn together, as they tell other classes: {', '.join(others)}."
        errors.print(told, style="yellow")
    return {name: found for name, found in documents.items() if found.classes == classes}


def diagnostics(run: Path) -> Iterator[Drawing]:
    """Yield the figures of a run with ``callbacks=diagnostics``."""
    if not (run / "diagnostics.json").is_file():
        return
    from rnnlab.diagnostics.callback import diagnostics_figures
    from rnnlab.diagnostics.record import read_records

    try:
        for name, figure in diagnostics_figures(read_records(run)).items():
            yield Drawing(name, lambda drawn=figure: drawn)  # type: ignore[misc]
    except RnnlabError as error:
        errors.print(str(error), style="yellow")

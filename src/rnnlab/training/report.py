"""What a run says of itself: its data and model at the start, its figures and the next steps at the end."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.folders import command, typed
from rnnlab.named_classes import trust_needed
from rnnlab.tasks.task import Task
from rnnlab.terminal import console, print_table, shown, table_of
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.score_tables import called, figure, over_all, table_by_class, thousands


def describe_task(task: Task) -> str:
    """Return the task's parts and parameters in one line, and which of them stay as they are."""
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in task.named_children()}
    frozen = {
        name: " frozen" * (not any(weight.requires_grad for weight in part.parameters()))
        for name, part in task.named_children()
    }
    parts = ", ".join(f"{name} {count:,}{frozen[name]}" for name, count in counts.items() if count)
    total = sum(p.numel() for p in task.parameters())
    parts += "; tied weights count once" * (sum(counts.values()) > total)
    return f"{type(task).__name__}: {total:,} parameters ({parts})."


def final_table(task: Task, metrics: Mapping[str, Any], folder: RunFolder, limit: int | float) -> None:
    """Print the figures beside the baselines' and, of a run that is no job of a sweep, what to type next.

    Args:
        metrics: the content of ``metrics.json``.
        limit: ``trainer.limit_test_batches``, 1.0 for all.
    """
    together = metrics.get("together", {})
    rows = {"this run": metrics["test"], **together, **metrics["baselines"]}
    apart, tables = task.shown_apart(metrics["test"])
    labels = metrics["labels"]
    names = [name for name in over_all(metrics["test"], labels) if name not in apart]
    title = f"Test split{part_of_it(limit)}, scored once with the best checkpoint"
    table = table_of(title, "", [called(name, labels) for name in names])
    for row, values in rows.items():
        cells = [figure(name, values[name]) if name in values else "" for name in names]
        table.add_row(row, *cells, style="bold" if row == "this run" else None)
    print_table(table)
    for row, values in together.items():
        console.print(f"{row}: mixed by {values['weight']:.2f}, chosen on the validation split.")
    by_class = table_by_class({name: figure(name, value) for name, value in metrics["test"].items()}, labels)
    for further in (by_class, *tables):
        if further is not None:
            print_table(further)
    if metrics["tokens_per_second"]:
        console.print(
            f"{metrics['seconds_per_epoch']:.1f} s an epoch, "
            f"{thousands(metrics['tokens_per_second'])} tokens/s, "
            f"{metrics['wall_seconds']:.0f} s in all on {metrics['device']}"
        )
    if folder.is_job:  # the sweep's own report says what to type next, once
        console.print(f"{'Run folder':<17}{shown(folder.path)}")
        return
    for name, path in places(folder):
        console.print(f"{name:<17}{shown(path)}")
    console.print("Next:", style="bold")
    for line in next_commands(task, folder):
        console.print(f"  {line}")


def where_it_goes(folder: RunFolder, tensorboard: bool) -> str:
    """Return a line that names the folder of a run that begins, and how to watch it."""
    # Of a job of a sweep the folder that is to be watched is named already, and once.
    watched = f"; watch it: {watching(folder)}" if tensorboard and not folder.is_job else ""
    return f"Run folder {shown(folder.path)}{watched}"


def watching(folder: RunFolder) -> str:
    """Return the command that shows a run in TensorBoard, beside others on the same data.

    Those are in the folder above; of runs that are called by the time they began, in the one above that, so
    that their model is in their names.
    """
    above = folder.path.parent
    if re.match(r"\d{4}-\d\d-\d\d_", folder.path.name):
        above = above.parent
    return typed(["tensorboard", "--logdir", shown(above)])


def places(folder: RunFolder) -> list[tuple[str, Path]]:
    """Return what a finished run left, and where."""
    found = [
        ("Run folder", folder.path),
        ("Best checkpoint", folder.best),
        ("Metrics", folder.metrics_file),
        ("Figures", folder.path / "figures"),
    ]
    return [(name, path) for name, path in found if path.exists()]


def next_commands(task: Task, folder: RunFolder) -> list[str]:
    """Return the commands that a person may want to type after a run."""
    config = folder.config()
    trust = [word for word in [trust_needed(config)] if word]
    asking = [("evaluate", f"run={shown(folder.path)}"), *task.questions(folder.path)]
    more = longer(config["trainer"], folder.progress())
    going_on = [("train", f"resume={shown(folder.path)}", *more)] if more else []
    return [
        *[watching(folder)] * folder.has_curves,
        *(command(*words, *trust) for words in [*asking, *going_on]),
    ]


def longer(trainer: Mapping[str, Any], progress: Mapping[str, Any]) -> list[str]:
    """Return the words that train a finished run on: none where nothing limits it but its time.

    Args:
        trainer: the configuration's section.
        progress: how far its last checkpoint is.

    >>> longer({"max_epochs": 3}, {"epoch": 3})
    ['trainer.max_epochs=6']
    >>> longer({"max_epochs": 9, "max_steps": 20}, {"epoch": 2, "step": 20})
    ['++trainer.max_steps=40']
    """
    epochs, steps = trainer["max_epochs"], trainer.get("max_steps", -1)
    if 0 < steps <= progress.get("step", 0):
        return [f"++trainer.max_steps={2 * steps}"]
    if epochs is None or epochs < 1:
        return []
    if progress.get("epoch", epochs) >= epochs:
        return [f"trainer.max_epochs={2 * epochs}"]
    # What early stopping or the time has ended, it would end again at once; either may have been it.
    limit = "++trainer.max_time=null" if trainer.get("max_time") else f"trainer.max_epochs={2 * epochs}"
    return [limit, "callbacks.early_stopping.patience=null"]


def part_of_it(limit: int | float) -> str:
    """Say so where only a part of the test split was scored: such figures compare with nothing.

    >>> part_of_it(1.0), part_of_it(4), part_of_it(0.1)
    ('', ' (first 4 batches only)', ' (first 10 % of the batches only)')
    """
    if isinstance(limit, float):
        return "" if limit == 1.0 else f" (first {100 * limit:.0f} % of the batches only)"
    return f" (first {limit} batches only)"

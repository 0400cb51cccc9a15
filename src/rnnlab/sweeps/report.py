"""A sweep's last words: what became of each job, what failed and why."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from rnnlab.sweeps.job import Outcome
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.sweep_folder import SweepFolder
from rnnlab.terminal import console, shown

SHOWN = {"already": "finished before"}


@dataclass(frozen=True)
class Compared:
    """The validation metric by which jobs are compared.

    Attributes:
        monitor: such as ``validation/accuracy``.
        mode: whether it is best at its ``min`` or its ``max``.
    """

    monitor: str
    mode: Literal["min", "max"]

    def value(self, metrics_file: Path) -> float | None:
        """Return the metric of a finished run; ``None`` of any other."""
        try:
            metrics: Mapping[str, Any] = json.loads(metrics_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        split, _, name = self.monitor.partition("/")
        found = metrics.get(split, {}).get(name)
        return None if found is None else float(found)


def compared_by(config: Mapping[str, Any]) -> Compared:
    """Return the metric by which runs of this configuration's task choose their best checkpoint."""
    from rnnlab.build import locate_class
    from rnnlab.models.task import Task

    task = locate_class(config["task"]["_target_"], Task, "task")
    return Compared(task.monitor, task.mode)


def report(
    folder: SweepFolder, compared: Compared, jobs: Sequence[Job], outcomes: Mapping[str, Outcome]
) -> None:
    """Print a row for each job, and the reasons of failures.

    Args:
        folder: of the sweep.
        compared: the metric to show.
        jobs: of this command.
        outcomes: what became of them, by their names.
    """
    table = Table(title=f"Sweep in {shown(folder.path)}", title_justify="left")
    table.add_column("job", overflow="fold")
    table.add_column("")
    table.add_column(f"best {compared.monitor}", justify="right")
    for job in jobs:
        outcome = outcomes[job.name]
        value = compared.value(folder.run(job).metrics_file)
        style = "red" if outcome.did == "failed" else None
        cell = "" if value is None else f"{value:.4f}"
        table.add_row(job.name, SHOWN.get(outcome.did, outcome.did), cell, style=style)
    console.print(table)
    failed = {name: outcome.why for name, outcome in outcomes.items() if outcome.why}
    if failed:
        console.print(failures(failed))


def failures(reasons: Mapping[str, str]) -> Table:
    """Return the table of what failed and why."""
    table = Table(title="Failed", title_justify="left", title_style="red")
    table.add_column("job", overflow="fold")
    table.add_column("why", overflow="fold")
    for name, why in reasons.items():
        table.add_row(name, Text(why))
    return table

"""A sweep's last words: what became of each job, what failed and why."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from rnnlab.folders import command, typed
from rnnlab.sweeps.job import Outcome
from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.sweep_folder import Compared, SweepFolder
from rnnlab.terminal import console, print_table, shown

SHOWN = {"already": "finished before"}
LEFT = "left as it is"
MOST = 50  # rows that a person reads


def report(
    folder: SweepFolder, compared: Compared, jobs: Sequence[Job], outcomes: Mapping[str, Outcome]
) -> None:
    """Print a row for each job, the reasons of failures, and what to type next.

    Args:
        folder: of the sweep.
        compared: the metric to show.
        jobs: of this command.
        outcomes: what became of them, by their names.
    """
    table = Table(title=f"Sweep in {shown(folder.path)}", title_justify="left")
    table.add_column("job", overflow="fold")
    table.add_column("")
    table.add_column(f"best {compared.monitor}", justify="right", no_wrap=True)
    values = {job.name: compared.value(folder.run(job).metrics_file) for job in jobs}
    shown_jobs = telling(jobs, outcomes, values, compared)
    for job in shown_jobs:
        outcome, value = outcomes[job.name], values[job.name]
        style = "red" if outcome.did == "failed" else None
        cell = "" if value is None else f"{value:.4f}"
        did = SHOWN.get(outcome.did, outcome.did) if outcome.again else LEFT
        table.add_row(job.name, did, cell, style=style)
    print_table(table)
    if len(shown_jobs) < len(jobs):
        console.print(f"{len(jobs) - len(shown_jobs):,} more are done; these are the best.")
    failed = {name: outcome.why for name, outcome in outcomes.items() if outcome.why}
    if failed:
        reasons = Table(title="Not done", title_justify="left", title_style="red")
        for column in ("job", "why"):
            reasons.add_column(column, overflow="fold")
        for words in failed.items():
            reasons.add_row(*words)
        console.print(reasons)
    if any(outcome.did in ("finished", "already") for outcome in outcomes.values()):
        console.print("Next:", style="bold")
        console.print(f"  {command('results', shown(folder.path))}")
        if any(folder.run(job).has_curves for job in jobs):
            console.print(f"  {typed(['tensorboard', '--logdir', shown(folder.path)])}")


def telling(
    jobs: Sequence[Job],
    outcomes: Mapping[str, Outcome],
    values: Mapping[str, float | None],
    compared: Compared,
) -> list[Job]:
    """Return the jobs that get a row: all, or of many the best of those that are done, and all others."""
    if len(jobs) <= MOST:
        return list(jobs)
    done = {job.name for job in jobs if outcomes[job.name].did in ("finished", "already")}
    best = sorted((job for job in jobs if job.name in done), key=lambda job: compared.rank(values[job.name]))
    return best[:MOST] + [job for job in jobs if job.name not in done]

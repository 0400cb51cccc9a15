"""The progress of the first look at a corpus: reading, counting, encoding."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rnnlab import interruption
from rnnlab.terminal import console
from rnnlab.text.encoded import Progress as Report

log = logging.getLogger(__name__)


@contextmanager
def encoding_progress() -> Iterator[Report]:
    """Yield a callback ``(stage, done, total)`` that shows a bar for each stage as it comes."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:,.0f} documents"),
        TimeRemainingColumn(compact=True),
    )
    rows: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:

        def report(stage: str, done: int, total: int | None) -> None:
            interruption.check()
            if stage not in rows:
                log.debug("%s", stage)
                rows[stage] = bar.add_task(stage, total=total)
            bar.update(rows[stage], completed=done, total=total)

        yield report

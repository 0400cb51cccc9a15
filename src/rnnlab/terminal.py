"""The one terminal that log lines, progress bars and tables share, so that none garbles another."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Colour and width degrade by themselves where output is a file or NO_COLOR is set. A notebook gets plain
# text, too: rich would make a block of HTML of each line, and a line of each state of a bar.
_plain: dict[str, Any] = {"force_jupyter": False, "force_terminal": False} if Console().is_jupyter else {}
console = Console(soft_wrap=True, highlight=False, **_plain)
errors = Console(stderr=True, soft_wrap=True, highlight=False, **_plain)
_lines = Console(soft_wrap=True, highlight=False, **_plain)

STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class TerminalHandler(logging.Handler):
    """Log records as plain lines on the shared terminal: warnings in yellow, errors in red."""

    speaker: str | None = None
    """Who speaks, where several processes share the terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record."""
        try:
            text, style = escape(self.format(record)), STYLES.get(record.levelno)
            line = f"[{style}]{text}[/{style}]" if style else text
            if self.speaker is None:
                console.print(line)
            else:
                _lines.print(f"[dim]{escape(self.speaker)}:[/dim] {line}")
        except Exception:  # noqa: BLE001  a log line must never end a run; logging reports it instead
            self.handleError(record)


@contextmanager
def speak_as(speaker: str) -> Iterator[None]:
    """Put a name before each log line, and show no bars and tables: other processes use the terminal, too."""
    before, TerminalHandler.speaker = TerminalHandler.speaker, speaker
    was_quiet, console.quiet = console.quiet, True
    try:
        yield
    finally:
        TerminalHandler.speaker, console.quiet = before, was_quiet


WIDEST = 10_000  # characters
NARROWEST = 12
"""Characters to which a table's first column is folded, so that the others fit."""


def print_table(table: Table) -> None:
    """Print a table; where it is wider than the terminal its first column is folded, and no number is cut."""
    width = wide().measure(table).maximum
    if width > console.width:
        first = table.columns[0]
        longest = max(wide().measure(cell).maximum for cell in (first.header, *first.cells))
        first.max_width = max(min(NARROWEST, longest), longest - (width - console.width))
        width = wide().measure(table).maximum
    if width <= console.width:
        console.print(table)
    elif not console.quiet:
        wide(width).print(table, crop=False)


def wide(width: int = WIDEST) -> Console:
    """Return a terminal of any width."""
    return Console(width=width, highlight=False, **_plain)


def shown(path: Path) -> str:
    """Return the path as a person would type it: relative to the working folder where it lies within."""
    resolved = path.resolve()
    return str(resolved.relative_to(Path.cwd())) if resolved.is_relative_to(Path.cwd()) else str(path)


def duration(seconds: float | None) -> str:
    """Return a time as a person reads it.

    >>> duration(8.34), duration(95.0), duration(3_725.0), duration(None)
    ('8.3 s', '1:35', '1:02:05', '')
    """
    if seconds is None or math.isnan(seconds):
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

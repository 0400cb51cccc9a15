"""The one terminal that log lines, progress bars and tables share, so that none garbles another."""

import io
import logging
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from rnnlab.visible import visible


class Terminal(Console):
    """A console on which text is text: no markup or emoji code in it counts, nothing in it steers.

    Words, labels and file names of anybody's come here; a style is said beside them (``style="red"``).
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(soft_wrap=True, highlight=False, markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Return a text as rich draws it; here already, so that a column is as wide as what it shows."""
        return super().render_str(visible(text, lines=True), **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield what is written, and rich's own control codes."""
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield Segment(visible(segment.text, lines=True), segment.style)


class VisibleFormatter(logging.Formatter):
    """Lines for a log file, which ends in a terminal, too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line or lines."""
        return visible(super().format(record), lines=True)


# Colour and width degrade by themselves where output is a file or NO_COLOR is set. A notebook gets plain
# text, too: rich would make a block of HTML of each line, and a line of each state of a bar.
_plain: dict[str, Any] = {"force_jupyter": False, "force_terminal": False} if Console().is_jupyter else {}
console = Terminal(**_plain)
errors = Terminal(stderr=True, **_plain)
_lines = Terminal(**_plain)

STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class TerminalHandler(logging.Handler):
    """Log records as plain lines on the shared terminal: warnings in yellow, errors in red."""

    speaker: str | None = None
    """Who speaks, where several processes share the terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record."""
        try:
            text, style = self.format(record), STYLES.get(record.levelno, "")
            if self.speaker is None:
                console.print(text, style=style)
            else:
                _lines.print(Text.assemble((f"{self.speaker}:", "dim"), " ", (text, style)))
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


class Outlet(io.FileIO):
    """One of the process's streams, which goes on in silence where nobody takes what is written any more.

    A training does not end because ``head`` has seen enough, or the disk is full that a log was led to.

    Attributes:
        failed: why nothing is written any more; None as long as all is well.
    """

    failed: OSError | None = None

    def write(self, content: Any) -> int | None:  # type: ignore[override]
        """Write, or do nothing where that failed before."""
        if self.failed is None:
            try:
                return super().write(content)
            except BlockingIOError:
                raise
            except OSError as error:
                self.failed = error
                self.note(error)
        return len(content)

    def note(self, error: OSError) -> None:
        """Write into the log files that the terminal is gone: its own handler has nobody to tell."""
        text = f"Nothing is shown any more, and the work goes on: the output was closed ({error.strerror})."
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (), None)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.FileHandler):
                handler.emit(record)


def open_outlets() -> None:
    """Let both streams outlast their readers, and spell what their encoding lacks, as ``…`` in Latin-1."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        raw = getattr(stream.buffer, "raw", stream.buffer)  # there is no buffer under PYTHONUNBUFFERED
        if isinstance(raw, io.FileIO) and not isinstance(raw, Outlet) and raw.fileno() in (1, 2):
            stream.flush()
            outlet: Any = Outlet(raw.fileno(), "wb", closefd=False)
            stream = io.TextIOWrapper(
                outlet if stream.buffer is raw else io.BufferedWriter(outlet),
                stream.encoding,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, stream)
        stream.reconfigure(errors="backslashreplace")


def why_unheard() -> OSError | None:
    """Return why standard output takes nothing any more; None where it does, as far as that was tried."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw.failed if isinstance(raw, Outlet) else None


WIDEST = 10_000  # characters


def table_of(title: str, first: str, names: Iterable[str]) -> Table:
    """Return an empty table of figures.

    Args:
        title: of the table.
        first: the name of the column of names.
        names: of the columns of figures.
    """
    table = Table(title=Text(title, style="italic"), title_justify="left")
    table.add_column(Text(first), overflow="fold")
    for name in names:
        table.add_column(Text(name), justify="right", no_wrap=True)
    return table


NARROWEST = 12
"""Characters to which a table's first column is folded, so that the others fit."""


def print_table(table: Table) -> None:
    """Print a table, and cut no number.

    Where it is wider than the terminal its first column is folded, then its lines are left out.
    """
    width = wide().measure(table).maximum
    if width > console.width:
        longest = longest_name(table)
        table.columns[0].max_width = max(min(NARROWEST, longest), longest - (width - console.width))
        width = wide().measure(table).maximum
    if width > console.width:
        lean(table)
        width = wide().measure(table).maximum
    if width <= console.width:
        console.print(table)
    elif not console.quiet:
        wide(width).print(table, crop=False)


def is_too_wide(table: Table) -> bool:
    """Return whether a table does not fit the terminal, however its first column is folded."""
    return wide().measure(table).maximum - max(0, longest_name(table) - NARROWEST) > console.width


def longest_name(table: Table) -> int:
    """Return the characters of the widest cell of a table's first column."""
    first = table.columns[0]
    return max(wide().measure(cell).maximum for cell in (first.header, *first.cells))


def lean(table: Table) -> None:
    """Leave out a table's vertical lines, which take up to a third of its width."""
    table.box, table.show_edge, table.pad_edge, table.collapse_padding = SIMPLE_HEAD, False, False, True


def wide(width: int = WIDEST) -> Console:
    """Return a terminal of any width."""
    return Terminal(width=width, **_plain)


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

"""The one terminal that log lines, progress bars and tables share, so that none garbles another."""

import logging
from pathlib import Path

from rich.console import Console
from rich.markup import escape

# Colour and width degrade by themselves where output is a file or NO_COLOR is set.
console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)

STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class TerminalHandler(logging.Handler):
    """Log records as plain lines on the shared terminal: warnings in yellow, errors in red."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record."""
        try:
            text, style = escape(self.format(record)), STYLES.get(record.levelno)
            console.print(f"[{style}]{text}[/{style}]" if style else text)
        except Exception:  # noqa: BLE001  a log line must never end a run; logging reports it instead
            self.handleError(record)


def shown(path: Path) -> str:
    """Return the path as a person would type it: relative to the working folder where it lies within."""
    resolved = path.resolve()
    return str(resolved.relative_to(Path.cwd())) if resolved.is_relative_to(Path.cwd()) else str(path)

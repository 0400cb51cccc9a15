"""A terminal that nobody sees: progress is drawn at its full price, into nothing."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from rnnlab.terminal import console


class _Unseen(io.StringIO):
    """Takes text and forgets it."""

    def write(self, text: str) -> int:
        return len(text)

    def isatty(self) -> bool:
        return True


@contextmanager
def unseen_terminal() -> Iterator[None]:
    """Draw what goes to standard output elsewhere, as if that were a terminal.

    So a training that is timed pays for its progress bar also where output is a file, and its lines don't
    flood the benchmark's own.
    """
    before = console.is_interactive  # rich looks once, when the console is made; bars move only where it is
    console.is_interactive = True
    try:
        with redirect_stdout(_Unseen()):
            yield
    finally:
        console.is_interactive = before

"""The progress of long work where output is a file: a line now and then, instead of a bar."""

import logging
import time
from collections.abc import Callable

from rnnlab.terminal import duration

log = logging.getLogger(__name__)

EVERY = 300.0
"""Seconds between two lines: an hour of training is a dozen."""


class ProgressLines:
    """Says every few minutes how far a piece of work is, its rate, and how long the rest takes.

    Args:
        now: the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.begin("", 0)

    def begin(self, description: str, total: float) -> None:
        """Start a piece of ``total`` batches."""
        self.description, self.total = description, total
        self.began = self.said = self.now()
        self.skipped: int | None = None

    def is_due(self, done: int) -> bool:
        """Return whether a line should be written after ``done`` batches; it must be asked at each.

        The first answer counts from where the work is: a run that goes on begins in mid-epoch.
        """
        if self.skipped is None:
            self.skipped = done
            self.began = self.now()
        return done > self.skipped and self.now() - self.said >= EVERY

    def write(self, done: int, news: str = "") -> None:
        """Write the line of ``done`` batches."""
        self.said = self.now()
        pace = (self.said - self.began) / (done - (self.skipped or 0))  # seconds a batch
        left = duration(pace * (self.total - done))
        parts = [f"{self.description}: {done:,} of {self.total:,.0f} batches", news, f"{left} left"]
        log.info(", ".join(part for part in parts if part))

"""What several jobs at once bring to a sweep: joblib's processes, and one job after the other."""

import logging
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnlab.benchmarks.child_process import output_of
from rnnlab.benchmarks.settings import Settings
from rnnlab.benchmarks.turns import paired, summary
from rnnlab.errors import ConfigError

log = logging.getLogger(__name__)

WAYS = ("joblib", "basic")
"""Hydra's launchers that take turns; the first also has the round that no one counts."""


def measure(settings: Settings) -> dict[str, Any]:
    """Run a whole sweep either way, from the command to its last line, each time from the start.

    Returns:
        The ``sweep``'s words; ``seconds`` of both ways; how many ``times_as_fast`` joblib is, by round.

    Raises:
        ConfigError: if ``jobs`` can't be split into words.
        RunError: if a sweep fails, with its last words.
    """
    try:
        words = shlex.split(settings.jobs or "")
    except ValueError as error:
        raise ConfigError(f"jobs={settings.jobs} can't be split into words: {error}.") from None
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="rnnlab-sweep-") as room:
        run(words, WAYS[0], Path(room) / "first")  # pays for encoding and compilation
        for number in range(settings.repeats):
            for way in WAYS if number % 2 == 0 else WAYS[::-1]:
                seconds[way].append(run(words, way, Path(room) / f"{way}-{number}"))
            told = ", ".join(f"{way} {taken[-1]:.1f} s" for way, taken in seconds.items())
            log.info(f"Round {number + 1} of {settings.repeats}: {told}")
    return {
        "sweep": settings.jobs,
        "seconds": {way: summary(taken) for way, taken in seconds.items()},
        "times_as_fast": paired(seconds["basic"], seconds["joblib"]),
    }


def run(words: Sequence[str], launcher: str, folder: Path) -> float:
    """Run ``scripts/train.py -m`` with these words, and return how many seconds it took.

    Raises:
        RunError: if it fails, with its last words.
    """
    command = [sys.executable, "-m", "rnnlab.commands.train", "-m", *words, f"hydra/launcher={launcher}"]
    began = time.perf_counter()
    output_of([*command, f"hydra.sweep.dir={folder}"], f"The sweep with hydra/launcher={launcher}")
    return time.perf_counter() - began

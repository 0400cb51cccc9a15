"""Around a contestant: a process of its own, busy neighbours, a terminal unseen, the peak of its memory."""

import ctypes
import gc
import io
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import TracebackType

import torch

from rnnlab import interruption
from rnnlab.errors import RunError
from rnnlab.terminal import console


def output_of(command: Sequence[str], what: str) -> str:
    """Run a command and return what it wrote to standard output.

    Raises:
        RunError: if it fails: ``what``, its status and its last words.
    """
    ended = subprocess.run(list(command), capture_output=True, text=True, check=False)
    interruption.check()  # the terminal has told it, too
    if ended.returncode:
        last = "\n".join(ended.stderr.strip().splitlines()[-3:])
        raise RunError(f"{what} ended with status {ended.returncode}:\n{last}")
    return ended.stdout


BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Keeps a processor busy for as long as the process lives that began it."""


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Let so many processes compete for the processors, each with one thread that never waits."""
    begun: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            begun.append(subprocess.Popen([sys.executable, "-c", BUSY], stderr=subprocess.DEVNULL))
        yield
    finally:
        for process in begun:
            process.kill()
            process.wait()


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


_OWN = Path("/proc/self")
_RESET_PEAK = "5"  # see proc(5), clear_refs


class PeakMemory:
    """Measures what happens inside ``with``; afterwards ``bytes`` is the peak.

    Args:
        device: whose memory.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.bytes: int | None = None

    def __enter__(self) -> "PeakMemory":
        gc.collect()  # nor does one pay, in time or memory, for another's garbage
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self._is_reset = forget_peak()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self.device)
        else:
            self.bytes = peak_resident_set() if self._is_reset else None


def forget_peak() -> bool:
    """Give free memory back and start the peak anew; return whether this system can."""
    with suppress(OSError, AttributeError, TypeError):  # another C library may keep a little more
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (_OWN / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def peak_resident_set() -> int | None:
    """Return the peak resident set of this process in bytes; ``None`` where the system does not tell."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", (_OWN / "status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None

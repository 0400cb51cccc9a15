"""Who works on a sweep: one folder for each invocation of its command, one file for each job it began.

Processes of one invocation, which may be on other machines, tell each other by these files what began and
whether to stop. The invocation holds a lock in its folder, which the system frees when it dies.
"""

import os
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from rnnlab.files.bounded import glimpse
from rnnlab.training.run_folder import is_held


@dataclass(frozen=True)
class Attempts:
    """The jobs that one invocation has begun.

    Attributes:
        folder: of the invocation.
        since: when the invocation began, in seconds since 1970.
    """

    folder: Path
    since: float = field(default_factory=time.time)

    @property
    def name(self) -> str:
        """Identifies the invocation."""
        return self.folder.name

    @property
    def stop_file(self) -> Path:
        """There when the invocation is asked to stop."""
        return self.folder / "stop"

    def begin(self, job: str) -> None:
        """Note that this process begins a job."""
        (self.folder / f"{job}.begun").write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")

    def has_begun(self, job: str) -> bool:
        """Return whether a process of this invocation has begun the job."""
        return (self.folder / f"{job}.begun").exists()

    def end(self, job: str) -> None:
        """Note that the job's process is done with it, however it ended."""
        with suppress(FileNotFoundError):
            (self.folder / f"{job}.begun").write_text("", encoding="utf-8")

    def processes(self) -> Iterator[int]:
        """Yield the other processes on this machine that are at a job."""
        for path in self.folder.glob("*.begun"):
            with suppress(ValueError):
                process, host = glimpse(path, 1000).split()
                if host == socket.gethostname() and int(process) != os.getpid():
                    yield int(process)

    def pass_on(self, by: int, again: bool) -> None:
        """Ask all jobs of this invocation to stop at a clean place; end them when the signal comes again.

        Called by a signal's handler: nothing here takes a lock, or raises.

        Args:
            by: the signal that asks for it.
            again: whether it is a second one.
        """
        with suppress(OSError):
            self.stop_file.write_text(str(by), encoding="utf-8")
        for process in self.processes():
            with suppress(OSError):
                os.kill(process, signal.SIGKILL if again else signal.SIGTERM)

    def stopping(self) -> bool:
        """Return whether the invocation was asked to stop."""
        return self.stop_file.exists()

    def stopped_by(self) -> int:
        """Return the signal that asked the invocation to stop."""
        said = glimpse(self.stop_file, 100).strip()
        return int(said) if said in map(str, map(int, signal.Signals)) else signal.SIGINT


@contextmanager
def new_attempts(folder: Path) -> Iterator[Attempts]:
    """Give an invocation its folder within ``folder``, for as long as it works on the sweep."""
    attempts = Attempts(folder / uuid.uuid4().hex[:12])
    lock = FileLock(attempts.folder / "lock")
    with FileLock(folder / "new.lock"):
        clear_dead(folder)
        attempts.folder.mkdir()
        lock.acquire()
    try:
        yield attempts
    finally:
        lock.release()
        shutil.rmtree(attempts.folder, ignore_errors=True)


def is_alive(folder: Path, name: str) -> bool:
    """Return whether the invocation of that name still works on the sweep."""
    return is_held(folder / name / "lock")


def clear_dead(folder: Path) -> None:
    """Remove the folders of invocations that died."""
    for found in folder.glob("*/lock"):
        if not is_held(found):
            shutil.rmtree(found.parent, ignore_errors=True)

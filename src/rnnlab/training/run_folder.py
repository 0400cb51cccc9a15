"""The run folder: what lies where, how it is read and written, and what has become of the run.

One process at a time works on a run: a lock that the system itself frees when its owner dies.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from filelock import FileLock, Timeout

from rnnlab.atomic import write_text
from rnnlab.errors import DamagedFileError, RnnlabError, RunError
from rnnlab.files.bounded import damaged, glimpse, is_name, reason_of
from rnnlab.files.plain_file import NUMBER, read_json, read_yaml
from rnnlab.renamed import up_to_date

SWEEP_FILE = "sweep.yaml"
"""In the folder above a run that is a job of a sweep: what the sweep is about."""
SECTIONS = ("task", "batches", "data", "tokenizer", "model", "optimizer", "scheduler", "trainer", "callbacks")
CONFIG = {f"{section}?": {str: object} for section in SECTIONS} | {"task?": {"name?": str}}
"""The shape of ``config.yaml``; what else a section must hold, who reads it knows."""
METRICS = {
    **{"validation?": {str: NUMBER}, "test?": {str: NUMBER}, "baselines?": {str: {str: NUMBER}}},
    "together?": {str: {str: NUMBER}},
    **{"wall_seconds?": NUMBER, "tokens_per_second?": NUMBER, "monitor?": str},
}
"""The shape of ``metrics.json``."""
PROGRESS = {"epoch?": int, "step?": int, "seconds?": NUMBER, "best?": {str: NUMBER}, "monitor?": str}
"""The shape of ``progress.json``."""
RESTORE_CONFIG = "Put back the file as it was, or remove the folder and train anew."
SCORE_AGAIN = "Remove the file and go on with the run (resume=…), which scores it again."
ORIGIN_UNKNOWN = "Remove the file; then nothing is known of what the run was made from."
SWEEP_ANEW = "Put it back as it was, or start the sweep over: sweep.restart=true."
GO_ON = "Remove the file; going on with the run (resume=…) writes it anew."
SWEEP = {
    **{"command?": str, "jobs_by?": str, "fixed?": [str], "swept?": [str], "monitor?": str, "mode?": str},
    **{"jobs?": {str: [str]}, "pruned?": [str], "storage?": str, "study?": str},
}
"""The shape of ``sweep.yaml``."""


def read_sweep(file: Path) -> dict[str, Any]:
    """Return what a ``sweep.yaml`` says.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: if it is damaged, or names a job by what is no name of a folder.
    """
    facts: dict[str, Any] = read_yaml(file, SWEEP, mend=SWEEP_ANEW)
    wrong = [name for name in facts.get("jobs") or () if not is_name(name)]
    if wrong:
        raise damaged(file, f"it names a job {wrong[0][:80]!r}, which is no name of a folder", SWEEP_ANEW)
    return facts


# Whoever only looks holds the lock for an instant; a run that begins waits that out.
PATIENCE = 3.0

_held_here: set[Path] = set()


def is_held(lock: Path) -> bool:
    """Return whether a living process, this one included, holds ``lock``."""
    if lock.resolve() in _held_here:
        return True
    if not lock.is_file():
        return False
    probe = FileLock(lock, timeout=0)
    try:
        with probe:
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # a read-only copy of a run, or no locks: nobody works on it
        return False


def by_whom(lock: Path) -> str:
    """Return `` by process 4711 on HOST`` where the owner has left its name."""
    with suppress(ValueError):
        process, host = glimpse(lock, 1000).split()
        return f" by process {process} on {host}"
    return ""


@dataclass(frozen=True)
class RunState:
    """What has become of a run.

    Attributes:
        name: ``finished`` (its figures are there), ``running`` (a living process holds its ``run.lock``),
            ``failed`` (an error ended it), ``interrupted`` (a checkpoint to go on from, nobody running), or
            ``empty`` (nothing to go on from).
        reason: why it failed, or who is running it; empty elsewhere.
        epoch: epochs finished at its last checkpoint, ``None`` where it has none.
        step: optimizer steps done at its last checkpoint, ``None`` where it has none.
    """

    name: Literal["finished", "running", "interrupted", "failed", "empty"]
    reason: str = ""
    epoch: int | None = None
    step: int | None = None


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, self-contained and movable.

    ``config.yaml`` (resolved), ``origin.json`` (digests of data, files and own code, which settings don't
    tell), ``checkpoints/`` with ``best.ckpt``, ``last.ckpt`` and the ``previous.ckpt`` before it,
    ``progress.json`` (how far the last checkpoint is), ``metrics.json`` (there when the run is finished),
    ``error.txt`` (there when an error ended it), ``figures/`` (each as PNG and SVG), TensorBoard's event
    files with ``projector/``, those of the validation in ``validation/``, ``train.log``, and ``run.lock``,
    which the process that works on the run holds.
    """

    path: Path

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def origin_file(self) -> Path:
        """Digests of what the run is made from."""
        return self.path / "origin.json"

    @property
    def metrics_file(self) -> Path:
        """The final figures."""
        return self.path / "metrics.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint that was best on the validation split."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The latest checkpoint, to go on from."""
        return self.checkpoints / "last.ckpt"

    @property
    def previous(self) -> Path:
        """The checkpoint before the latest, should that one be broken."""
        return self.checkpoints / "previous.ckpt"

    @property
    def progress_file(self) -> Path:
        """How far the latest checkpoint is."""
        return self.path / "progress.json"

    @property
    def curves(self) -> Path:
        """The folder of TensorBoard's event files, which bears the run's name; once it was one in it."""
        before = self.path / "tensorboard"
        return before if before.is_dir() else self.path

    @property
    def has_curves(self) -> bool:
        """Whether there is anything for TensorBoard to show."""
        return any(self.curves.glob("events.out.tfevents*"))

    @property
    def lock_file(self) -> Path:
        """Held by the process that works on the run."""
        return self.path / "run.lock"

    @property
    def error_file(self) -> Path:
        """Why the run failed."""
        return self.path / "error.txt"

    @property
    def is_job(self) -> bool:
        """Whether the run is a job of the sweep in whose folder it lies."""
        return (self.path.parent / SWEEP_FILE).is_file()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let this process, and no other, work on the run; one that does already may do so again.

        Raises:
            RunError: if another process works on it.
        """
        place = self.lock_file.resolve()
        if place in _held_here:
            yield
            return
        owner = by_whom(self.lock_file)  # older versions of filelock empty a file that they try
        lock = FileLock(self.lock_file, timeout=PATIENCE)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise RunError(
                f"{self.path} is being worked on{owner}. Two processes can't go on with one run: "
                "wait for it, or stop it first."
            ) from None
        except (OSError, NotImplementedError) as error:
            why = getattr(error, "strerror", None) or error
            raise RunError(
                f"{self.lock_file} can't be locked ({why}): it must be a file, on a disk with locks."
            ) from error
        _held_here.add(place)
        try:
            self.lock_file.write_text(f"{os.getpid()} {socket.gethostname()}\n", encoding="utf-8")
            yield
        finally:
            _held_here.discard(place)
            lock.release()

    def state(self, *, owner: bool = False) -> RunState:
        """Return what has become of the run; ``empty`` where there is none.

        Args:
            owner: whether this process holds the run itself and asks what was left behind.
        """
        progress: dict[str, Any] = {}
        with suppress(DamagedFileError):  # then nothing is known of it: the checkpoint counts
            progress = self.progress()
        epoch, step = progress.get("epoch"), progress.get("step")
        who = by_whom(self.lock_file).strip()
        if not owner and is_held(self.lock_file):
            return RunState("running", who, epoch, step)
        if self.metrics_file.exists():
            return RunState("finished", "", epoch, step)
        if self.error_file.is_file():
            return RunState("failed", glimpse(self.error_file).strip(), epoch, step)
        if self.last.is_file() or self.previous.is_file():
            return RunState("interrupted", "", epoch, step)
        return RunState("empty")

    def fail(self, reason: str) -> None:
        """Write down why the run failed; where even that can't be written, do nothing."""
        with suppress(RnnlabError, OSError):
            write_text(self.error_file, reason.strip() + "\n")

    def check_free(self) -> None:
        """Check that no run lives here yet; one is never overwritten.

        Raises:
            RunError: if one does.
        """
        if self.config_file.exists():
            raise RunError(
                f"{self.path} already holds a run. Go on with it (resume={self.path}), "
                "or give this one a folder of its own (hydra.run.dir=...)."
            )

    def begin(self, config: dict[str, Any], origin: Mapping[str, str] | None = None) -> None:
        """Write the resolved configuration; figures and errors of a run that goes on are no longer true.

        Args:
            config: resolved.
            origin: what the run is made from, see :mod:`rnnlab.training.origin`; None where it is not known.
        """
        self.metrics_file.unlink(missing_ok=True)
        self.error_file.unlink(missing_ok=True)
        if origin is not None:
            write_text(self.origin_file, json.dumps(origin, indent=2) + "\n")
        write_text(self.config_file, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration.

        Raises:
            RunError: if this is no run folder, or the file is damaged.
        """
        try:
            config: dict[str, Any] = read_yaml(self.config_file, CONFIG, mend=RESTORE_CONFIG)
        except FileNotFoundError as error:
            raise RunError(f"{self.path} is no run folder: it has no config.yaml.") from error
        return up_to_date(config)

    def origin(self) -> dict[str, str] | None:
        """Return digests of what the run is made from; None for one of an rnnlab that did not keep them.

        Raises:
            DamagedFileError: if the file is damaged.
        """
        try:
            origin: dict[str, str] = read_json(self.origin_file, {str: str}, mend=ORIGIN_UNKNOWN)
        except FileNotFoundError:
            return None
        return origin

    def is_finished_as(self, config: Mapping[str, Any]) -> bool:
        """Return whether the run is finished, and ``config`` asks for nothing else than it has done."""
        return self.metrics_file.exists() and {**self.config(), "resume": None} == {**config, "resume": None}

    def metrics(self) -> dict[str, Any]:
        """Return the final figures.

        Raises:
            RunError: if there are none yet, or the file is damaged.
        """
        try:
            metrics: dict[str, Any] = read_json(self.metrics_file, METRICS, mend=SCORE_AGAIN)
        except FileNotFoundError as error:
            raise RunError(f"{self.path} has no figures yet: the run is not finished.") from error
        return metrics

    def progress(self) -> dict[str, Any]:
        """Return what the run wrote beside its last checkpoint, empty where it has none.

        Raises:
            DamagedFileError: if the file is damaged.
        """
        try:
            progress: dict[str, Any] = read_json(self.progress_file, PROGRESS, mend=GO_ON)
        except FileNotFoundError:
            return {}
        return progress

    def note_progress(
        self, *, epoch: int, step: int, seconds: float, best: dict[str, float], monitor: str
    ) -> None:
        """Write down how far the latest checkpoint is, for whoever looks at the folder without torch.

        Args:
            epoch: finished epochs.
            step: optimizer steps.
            seconds: how long the run has taken so far, over all its processes.
            best: the validation metrics of the best checkpoint so far.
            monitor: the metric that chose it.
        """
        note = {"epoch": epoch, "step": step, "seconds": seconds, "best": best, "monitor": monitor}
        write_text(self.progress_file, json.dumps(note) + "\n")

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the final figures."""
        write_text(self.metrics_file, json.dumps(metrics, indent=2, allow_nan=True) + "\n")


@contextmanager
def kept_configuration(folder: RunFolder) -> Iterator[None]:
    """Turn what comes of a run's own configuration that lacks a key, or has an odd value, into an error.

    What a command composes has them all; of what lies in a folder nobody knows.

    Raises:
        DamagedFileError: naming the file.
    """
    try:
        yield
    except KeyError as error:
        raise damaged(folder.config_file, f"it lacks {error.args[0]}", RESTORE_CONFIG) from error
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        reason = f"nothing can be built of it ({type(error).__name__}: {reason_of(error)})"
        raise damaged(folder.config_file, reason, RESTORE_CONFIG) from error

"""The run folder: what lies where, and how it is read and written."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from rnnlab.atomic import write_text
from rnnlab.errors import RnnlabError, RunError
from rnnlab.renamed import renamed
from rnnlab.training.run_lock import held
from rnnlab.training.run_state import RunState, state_of

SWEEP_FILE = "sweep.yaml"
"""In the folder above a run that is a job of a sweep: what the sweep is about."""


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, self-contained and movable.

    ``config.yaml`` (resolved), ``checkpoints/`` with ``best.ckpt``, ``last.ckpt`` and the ``previous.ckpt``
    before it, ``progress.json`` (how far the last checkpoint is), ``metrics.json`` (there when the run is
    finished), ``error.txt`` (there when an error ended it), ``figures/`` (each as PNG and SVG),
    ``tensorboard/``, ``train.log``, and ``run.lock``, which the process that works on the run holds.
    """

    path: Path

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

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

    def held(self) -> AbstractContextManager[None]:
        """Return a context in which this process, and no other, works on the run.

        Raises:
            RunError: on entering, if another process does already.
        """
        return held(self.lock_file)

    def state(self, *, owner: bool = False) -> RunState:
        """Return what has become of the run; ``empty`` where there is none.

        Args:
            owner: whether this process holds the run itself and asks what was left behind.
        """
        return state_of(self, owner=owner)

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

    def begin(self, config: dict[str, Any]) -> None:
        """Write the resolved configuration; figures and errors of a run that goes on are no longer true."""
        self.metrics_file.unlink(missing_ok=True)
        self.error_file.unlink(missing_ok=True)
        write_text(self.config_file, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration.

        Raises:
            RunError: if this is no run folder, or the file is damaged.
        """
        if not self.config_file.is_file():
            raise RunError(f"{self.path} is no run folder: it has no config.yaml.")
        try:
            config = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RunError(f"{self.config_file} is damaged: {error}") from error
        if not isinstance(config, dict):
            raise RunError(f"{self.config_file} is damaged: it holds no configuration.")
        return cast(dict[str, Any], renamed(config))

    def is_finished_as(self, config: Mapping[str, Any]) -> bool:
        """Return whether the run is finished, and ``config`` asks for nothing else than it has done."""
        return self.metrics_file.is_file() and {**self.config(), "resume": None} == {**config, "resume": None}

    def metrics(self) -> dict[str, Any]:
        """Return the final figures.

        Raises:
            RunError: if there are none yet, or the file is damaged.
        """
        try:
            metrics = json.loads(self.metrics_file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(f"{self.path} has no figures yet: the run is not finished.") from error
        except ValueError as error:
            raise RunError(f"{self.metrics_file} is damaged: {error}") from error
        if not isinstance(metrics, dict):
            raise RunError(f"{self.metrics_file} is damaged: it holds no figures.")
        return metrics

    def note_progress(self, *, epoch: int, step: int, seconds: float, best: dict[str, float]) -> None:
        """Write down how far the latest checkpoint is, for whoever looks at the folder without torch.

        Args:
            epoch: finished epochs.
            step: optimizer steps.
            seconds: how long the run has taken so far, over all its processes.
            best: the validation metrics of the best checkpoint so far.
        """
        note = {"epoch": epoch, "step": step, "seconds": seconds, "best": best}
        write_text(self.progress_file, json.dumps(note) + "\n")

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the final figures."""
        write_text(self.metrics_file, json.dumps(metrics, indent=2, allow_nan=True) + "\n")

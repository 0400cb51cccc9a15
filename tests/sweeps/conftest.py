"""Sweeps of pretended trainings, in this process or in others."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from rnnlab.command_line import run_hydra
from rnnlab.sweeps.sweep_folder import SweepFolder
from tests.sweeps import pretend

PRETEND = Path(pretend.__file__)


@dataclass
class Commanded:
    """A place to give commands in.

    Attributes:
        folder: the working folder.
        journal: what the pretended trainings note.
        run: gives a command in this process and returns its exit status.
    """

    folder: Path
    journal: Path
    run: Callable[..., int]

    def noted(self) -> list[str]:
        """Return the journal's lines."""
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def sweep(self) -> SweepFolder:
        """Return the only sweep there is."""
        (found,) = self.folder.glob("logs/sweeps/*/*/*/sweep.yaml")
        return SweepFolder(found.parent)

    def jobs(self) -> list[str]:
        """Return the names of the job folders, sorted."""
        folder = self.sweep().path
        return sorted(path.parent.name for path in folder.glob("*/run.lock"))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Give a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, str(PRETEND), "-m", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def commanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commanded:
    journal = tmp_path / "journal"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RNNLAB_JOURNAL", str(journal))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str, many: bool = True) -> int:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["scripts/train.py", *(["-m"] if many else []), *words])
        try:
            run_hydra(pretend.pretend, pretend.CONF, "train", pretend.RESOLVERS)
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return Commanded(tmp_path, journal, run)

"""Killed at any moment, whatever the command: given again it comes to the same, and nothing stays behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnlab.training.run_folder import RunFolder
from tests.training.conftest import write_reviews

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = ["the rose is red .", "the violet is blue .", "sugar is sweet , and so is the rose ."]
SMALL = [
    *("model.hidden_size=4", "trainer=cpu", "callbacks.checkpoint.every_n_steps=5", "optimizer.lr=0.01"),
    *("callbacks.early_stopping.patience=null", "trainer.max_epochs=2", "model.backend=torch"),
]
TEXT = "task.embedding_size=4"
KILLS = 15
"""Of each command."""
PASSING = ("wall_seconds", "seconds_per_epoch", "tokens_per_second")
"""Figures that differ from one run to the next."""


def words_of(kind: str, folder: Path) -> list[str]:
    """Return the words of a small training."""
    reviews = write_reviews(folder / "reviews.csv", count=60)
    text = folder / "roses.txt"
    text.write_text("\n".join(SENTENCES * 60), encoding="utf-8")
    documents = ["data=csv", f"data.corpus.train={reviews}", "batches.batch_size=8", TEXT]
    return {
        "sentiment": [*documents, "data.vocabulary.min_frequency=1", *SMALL],
        "language_model": ["task=language_model", "data=text", f"data.corpus.train={text}", TEXT, *SMALL],
        "memory": ["task=memory", "batches.train=256", "batches.validation=64", "batches.test=64", *SMALL],
    }[kind]


class Commands:
    """Gives commands in processes of their own.

    Args:
        folder: where all of it happens.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            **{"RNNLAB_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
            "PYTHONPATH": str(ROOT / "src"),
        }

    def start(self, script: str, words: list[str]) -> "subprocess.Popen[str]":
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, script: str, words: list[str]) -> float:
        """Give a command, and return how many seconds it took."""
        began = time.monotonic()
        process = self.start(script, words)
        told, _ = process.communicate()
        assert process.returncode == 0, told
        return time.monotonic() - began

    def kill(self, script: str, words: list[str], seconds: float) -> None:
        """Give a command, and kill it after so many seconds."""
        process = self.start(script, words)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith((".unfinished", ".provisional"))]


def content(run: Path) -> dict[str, Any]:
    """Return a run's figures, and the names of its pictures."""
    metrics = json.loads(RunFolder(run).metrics_file.read_text())
    lasting = {key: value for key, value in metrics.items() if key not in PASSING}
    return {**lasting, "pictures": sorted(path.name for path in (run / "figures").rglob("*"))}


def killed_often(commands: Commands, script: str, words: Callable[[], list[str]], longest: float) -> None:
    """Kill a command again and again, at moments that are spread over it, and at last let it end."""
    chance = random.Random(script + str(words()))
    for _ in range(KILLS):
        commands.kill(script, words(), chance.uniform(0.2, 1.0) * longest)
    commands.finish(script, words())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sentiment", "language_model", "memory"])
def test_a_training_with_its_cache(kind: str, tmp_path: Path) -> None:
    commands, words = Commands(tmp_path), words_of(kind, tmp_path)
    run = tmp_path / "killed"

    def again() -> list[str]:
        begun = RunFolder(run).config_file.exists()
        return [f"resume={run}"] if begun else [*words, f"hydra.run.dir={run}"]

    seconds = commands.finish("train", [*words, f"hydra.run.dir={tmp_path / 'whole'}"])
    commands.environment["RNNLAB_CACHE_DIR"] = str(tmp_path / "another cache")
    killed_often(commands, "train", again, seconds)
    assert content(run) == content(tmp_path / "whole")
    assert left_behind(run) == left_behind(tmp_path / "another cache") == []


@pytest.mark.slow
@pytest.mark.parametrize("way", [["seed=1,2"], ["sweep=optuna", "sweep.trials=3", "model=rnn,gru"]])
def test_a_sweep_and_a_search(way: list[str], tmp_path: Path) -> None:
    words = ["-m", *words_of("memory", tmp_path), *way]
    whole, killed = Commands(tmp_path / "whole"), Commands(tmp_path / "killed")
    for commands in (whole, killed):
        commands.folder.mkdir()
    seconds = whole.finish("train", words)
    killed_often(killed, "train", lambda: words, seconds)
    runs = [file.parent.relative_to(whole.folder) for file in whole.folder.rglob("metrics.json")]
    assert runs
    for run in runs:
        assert content(killed.folder / run) == content(whole.folder / run)
    assert left_behind(killed.folder) == []


@pytest.mark.slow
def test_predictions_and_exports(tmp_path: Path) -> None:
    commands, words = Commands(tmp_path), words_of("sentiment", tmp_path)
    commands.finish("train", [*words, f"hydra.run.dir={tmp_path / 'run'}"])
    table = write_reviews(tmp_path / "many.csv", count=3000)
    for script, first, second, more in (
        ("predict", "a.csv", "b.csv", [f"input={table}"]),
        ("export", "a.safetensors", "b.safetensors", ["format=safetensors"]),
        ("export", "a.pt", "b.pt", ["format=torchscript"]),
    ):
        asked = [f"run={tmp_path / 'run'}", *more, "overwrite=true"]
        seconds = commands.finish(script, [*asked, f"output={first}"])
        killed_often(
            commands, script, lambda asked=asked, second=second: [*asked, f"output={second}"], seconds
        )
        if script == "predict":
            assert (tmp_path / first).read_bytes() == (tmp_path / second).read_bytes()
        assert (tmp_path / second).stat().st_size == (tmp_path / first).stat().st_size
    assert left_behind(tmp_path) == []

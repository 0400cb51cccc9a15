"""Several processes train as one does with their batches together, and one that dies ends the others."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import CONF, write_reviews

pytestmark = pytest.mark.slow
TRAIN = CONF.parent / "scripts" / "train.py"
QUIET = ["trainer=cpu", "logger=none", "baselines=false", "scheduler=none", "trainer.max_epochs=2"]
FEW = ["batches.validation=64", "batches.test=64"]
ASKED_TWICE = ["+trainer.strategy=ddp"]  # four processes on a machine of two processors
SMALL = ["model.hidden_size=8", "model.backend=torch"]
TASKS = {
    "sentiment": [
        *("data=csv", "data.corpus.train=reviews.csv", "data.vocabulary.min_frequency=1"),
        *("task.embedding_size=8", "task.dropout=0", "task.embedding_dropout=0", "task.word_dropout=0"),
    ],
    "language_model": [
        *("task=language_model", "data=text", "data.corpus.train=book.txt", "batches.bptt=7"),
        *("task.embedding_size=8", "task.output_dropout=0", "task.input_dropout=0"),
    ],
    "memory": ["task=memory", "data=adding", "data.distance=10", "batches.train=256", *FEW],
    "forecasting": [
        *("task=forecasting", "data=made_series", "data.corpus.towns=2", "data.corpus.steps=400"),
        *("data.look_back=24", "data.horizon=6", "task.dropout=0"),
    ],
    "speech": [
        *("task=speech", "data=touch_tones", "data.corpus.train=64", "data.corpus.validation=16"),
        *("data.corpus.test=16", "task.dropout=0"),
    ],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    write_reviews(folder / "reviews.csv")
    lines = [" ".join(f"w{(i * j) % 17}" for j in range(1, 9)) for i in range(400)]
    (folder / "book.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def start(place: Path, task: str, name: str, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(TRAIN), *TASKS[task], *SMALL, *QUIET, f"hydra.run.dir={name}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=place, env=environment, start_new_session=True, **pipes)


def metrics_of(place: Path, task: str, devices: int, batch_size: int) -> dict[str, Any]:
    name = f"{task}-{devices}"
    sizes = [f"batches.batch_size={batch_size}", f"trainer.devices={devices}", *(devices > 1) * ASKED_TWICE]
    if task == "language_model":
        sizes.append(f"batches.evaluation_batch_size={batch_size}")
    run = start(place, task, name, *sizes)
    told, _ = run.communicate(timeout=500)
    assert run.returncode == 0, told
    found: dict[str, Any] = json.loads((place / name / "metrics.json").read_text())
    return found


@pytest.mark.parametrize("task", TASKS)
def test_several_processes_reach_what_one_does(task: str, place: Path) -> None:
    batch = 64 if task == "sentiment" else 16  # all documents are in one pool, and so in the same steps
    one = metrics_of(place, task, 1, batch)
    for devices in (2, 4):
        several = metrics_of(place, task, devices, batch // devices)
        for split in ("validation", "test"):
            assert set(one[split]) == set(several[split])
            for name, value in one[split].items():
                told = f"{devices} processes: {split}/{name}"
                assert several[split][name] == pytest.approx(value, abs=1e-5, rel=1e-5), told


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 500
    while not holds():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the other process in /proc")
@pytest.mark.parametrize("killed", ["first", "second"])
def test_a_process_that_dies_ends_the_other_with_a_message(killed: str, place: Path) -> None:
    words = ["trainer.devices=2", "trainer.max_epochs=9999", "callbacks.early_stopping.patience=null"]
    run = start(place, "memory", killed, *words)
    try:
        wait_for(lambda: (place / killed / "checkpoints" / "last.ckpt").exists())
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        os.kill(run.pid if killed == "first" else int(children[0]), signal.SIGKILL)
        told, _ = run.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    assert "Another process of this run has died" in told
    assert "Traceback" not in told

"""Sweeps of real trainings on a tiny table of invented reviews."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from rnnlab.interruption import Interrupted
from rnnlab.training.fit import fit
from rnnlab.training.run_folder import RunFolder
from tests.training.conftest import CONF, compose, reviews, write_reviews

__all__ = ["compose", "reviews"]  # fixtures of the trainings' tests

TRAIN = CONF.parent / "scripts" / "train.py"
SMALL = [
    *("data=csv", "data.vocabulary.min_frequency=1", "batches.batch_size=16", "baselines=false"),
    *("task.embedding_size=8", "model.hidden_size=8", "trainer=cpu", "logger=none"),
]


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """Give the command of a sweep in a process of its own."""
    table = f"data.corpus.train={folder / 'reviews.csv'}"
    return subprocess.Popen(
        [sys.executable, str(TRAIN), "-m", *SMALL, table, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_a_sweep_killed_in_its_third_training_goes_on(tmp_path: Path) -> None:
    write_reviews(tmp_path / "reviews.csv")
    words = ["model=rnn,lstm,gru", "seed=1,2", "trainer.max_epochs=40"]
    words += ["callbacks.early_stopping.patience=null"]
    first = start(tmp_path, *words)
    end = time.monotonic() + 500
    while not (found := list(tmp_path.glob("logs/sweeps/*/*/*/lstm seed=1/checkpoints/last.ckpt"))):
        assert time.monotonic() < end
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    third = RunFolder(found[0].parents[1])
    assert third.state().name == "interrupted"
    finished = {path: path.stat().st_mtime_ns for path in third.path.parent.glob("*/metrics.json")}
    assert len(finished) == 2
    again = start(tmp_path, *words)
    told, _ = again.communicate(timeout=500)
    assert again.returncode == 0, told
    assert "lstm seed=1 goes on from its last checkpoint" in told
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    runs = [RunFolder(path.parent) for path in third.path.parent.glob("*/run.lock")]
    assert len(runs) == 6
    assert {run.state().name for run in runs} == {"finished"}
    log = (third.path / "train.log").read_text()
    assert log.count("starts.") == 1


def test_a_hopeless_trial_ends_early_and_can_be_gone_on_with(compose: Any, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    from rnnlab.sweeps.storage import Storage, open_study
    from rnnlab.sweeps.trial_link import Pruned, TrialLink, linked, watchers

    storage, pruner = Storage("sqlite", "sweep", tmp_path), optuna.pruners.ThresholdPruner(lower=2.0)
    study = open_study(storage, pruner, "max")
    trial = study.ask()
    config = compose("baselines=false", "logger=none", "trainer.max_epochs=3")
    folder = RunFolder(tmp_path / "run")
    with linked(TrialLink(storage, trial.number, pruner)), pytest.raises(Pruned, match="after 1 validations"):
        fit(config, folder.path, watchers())
    assert watchers() == []
    assert list(study.get_trials()[0].intermediate_values) == [0]
    assert folder.state().name == "interrupted"
    assert not issubclass(Pruned, Exception)
    assert issubclass(Pruned, Interrupted)

    patient = optuna.pruners.NopPruner()
    with linked(TrialLink(storage, trial.number, patient)):
        metrics = fit({**config, "resume": str(folder.path)}, folder.path, watchers())
    assert list(study.get_trials()[0].intermediate_values) == [0, 1, 2]
    best = max(study.get_trials()[0].intermediate_values.values())
    assert metrics["validation"]["accuracy"] == pytest.approx(best)
    assert yaml.safe_load(folder.config_file.read_text())["trainer"]["max_epochs"] == 3

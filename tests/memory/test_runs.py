"""Runs on memory problems: trained, gone on with, evaluated, opened, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnlab
from rnnlab.errors import ConfigError, RnnlabError, RunError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.runs.evaluation import evaluated
from rnnlab.tasks.memory.task import MemoryTask
from rnnlab.training.fit import fit
from rnnlab.training.resume import resumed_config
from rnnlab.training.run_folder import RunFolder
from tests.training.stopping import stopped_at

pytestmark = pytest.mark.drawn

Compose = Callable[..., dict[str, Any]]
GRU = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "cell": "gru", "hidden_size": 6}


def test_a_gru_learns_what_came_first(compose: Compose, tmp_path: Path) -> None:
    short = ["data.distance=3", "data.corpus.symbols=2", "batches.train=640", "trainer.max_epochs=4"]
    config = compose(*short, "optimizer.lr=0.02", "scheduler=none")
    metrics = fit(config, tmp_path / "run")
    assert metrics["test"]["accuracy"] == 1.0
    assert metrics["test"]["loss"] < 0.1 < metrics["baselines"]["guessing"]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "learns"), [("rnn", True), ("mingru", False), ("lru", False)])
def test_gates_that_do_not_see_the_state_do_not_learn_parity(
    cell: str, learns: bool, compose: Compose, tmp_path: Path
) -> None:
    sizes = ["model.hidden_size=16", "batches.batch_size=64", "batches.train=25600", "batches.test=300"]
    words = ["data=parity", "data.distance=6", *sizes, f"model={cell}", "model.backend=torch"]
    training = ["optimizer=adam", "optimizer.lr=0.01", "scheduler=none", "trainer.max_epochs=1"]
    metrics = fit(compose(*words, *training), tmp_path / "run")  # 400 steps
    accuracy = metrics["test"]["accuracy"]  # of sequences longer than any in training
    assert accuracy > 0.95 if learns else accuracy < 0.7


@pytest.mark.parametrize("data", ["adding", "copy"])
def test_a_run_is_evaluated_digit_for_digit_and_at_other_distances(
    data: str, compose: Compose, tmp_path: Path
) -> None:
    config = compose(f"data={data}", "data.distance=12")
    metrics = fit(config, tmp_path / "run")
    again = evaluated(tmp_path / "run")
    assert again["metrics"] == metrics["test"]
    assert again["documents"] == 24
    assert again["out_of_vocabulary"] is None
    farther = compose(f"data={data}", "data.distance=30")["data"]
    assert evaluated(tmp_path / "run", data=farther)["metrics"] != metrics["test"]
    other = compose("data=first_token")["data"]
    with pytest.raises(ConfigError, match="has other inputs or answers"):
        evaluated(tmp_path / "run", data=other)


def test_a_stopped_run_ends_bit_for_bit_as_a_whole_one(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = compose("data=adding")
    whole = fit(config, tmp_path / "whole")
    with stopped_at(7, monkeypatch):
        fit(config, tmp_path / "stopped")
    folder = RunFolder(tmp_path / "stopped")
    resumed = fit(resumed_config(config, folder, []), folder.path)
    assert resumed["test"] == whole["test"]
    ours = read_checkpoint(folder.last)["state_dict"]
    theirs = read_checkpoint(RunFolder(tmp_path / "whole").last)["state_dict"]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_trained_model_says_that_it_reads_no_text(compose: Compose, tmp_path: Path) -> None:
    fit(compose("debug=fast_dev_run"), tmp_path / "run")
    model = rnnlab.load(tmp_path / "run")
    assert isinstance(model.task, MemoryTask)
    with pytest.raises(RunError, match="task=memory, which can't tell classes"):
        model.predict(["a"])
    with pytest.raises(RunError, match="task=memory, which reads no text"):
        model.unknown_words("a")
    arguments = read_checkpoint(RunFolder(tmp_path / "run").best)["rnnlab"]["model_arguments"]
    assert json.loads(json.dumps(arguments)) == {"input_size": 16, "answers": 1, "classes": 8}


def test_a_bidirectional_encoder_is_refused(compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="how far a network can carry"):
        fit(compose("model.bidirectional=true"), tmp_path / "run")


def test_a_training_that_explodes_keeps_its_last_good_checkpoint(compose: Compose, tmp_path: Path) -> None:
    wild = ["model=irnn", "optimizer=sgd", "optimizer.lr=1e30", "trainer.gradient_clip_val=null"]
    with pytest.raises(RnnlabError, match=r"The loss is .* at step \d"):
        fit(compose("data=adding", *wild, "scheduler=none"), tmp_path / "run")


@pytest.mark.parametrize("answers", [1, 3])
@pytest.mark.smoke
def test_answers_are_read_at_each_sequences_own_end(answers: int) -> None:
    torch.manual_seed(0)
    task = MemoryTask(model=GRU, input_size=4, answers=answers, classes=5).eval()
    inputs, lengths = torch.randn(3, 9, 4), torch.tensor([9, 6, 4])
    together = task(inputs, lengths)
    assert together.shape == (3, answers, 5)
    for row, length in enumerate(lengths.tolist()):
        alone = task(inputs[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(together[row], alone[0])
        outputs, _ = task.encoder(inputs[row : row + 1, :length])
        torch.testing.assert_close(alone[0], task.readout(outputs[0, -answers:]))

"""From a language model's run to a classifier's, by configuration and by command line."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from rnnlab.errors import ConfigError, RunError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.runs.load import load
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.fit import fit
from tests.transfer.conftest import LANGUAGE, SHARED, Room, composed, digest, run_script

Compose = Callable[..., dict[str, Any]]
FROZEN = "task.unfreezing_epochs=5"  # of one epoch: nothing but the classifier is trained


def weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = read_checkpoint(run / "checkpoints" / "best.ckpt")["state_dict"]
    return found


def words(run: Path) -> Vocabulary:
    passport = read_checkpoint(run / "checkpoints" / "best.ckpt")["rnnlab"]
    return Vocabulary.from_dict(passport["vocabulary"])


def train(monkeypatch: pytest.MonkeyPatch, *overrides: str) -> int:
    """Run the command; return its exit status."""
    return run_script(monkeypatch, "train", *SHARED, *overrides)


@pytest.mark.parametrize("vocabulary", ["run", "own"])
def test_what_is_frozen_is_the_run_s_to_the_bit_and_the_run_is_unchanged(
    vocabulary: str, classifier: Compose, room: Room, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = digest(room.forwards)
    caplog.set_level("INFO")
    fit(classifier(f"task.vocabulary={vocabulary}", FROZEN), tmp_path / "run")
    assert digest(room.forwards) == before
    ours, theirs = weights(tmp_path / "run"), weights(room.forwards)
    for name, part in ours.items():
        if name.startswith("encoder."):
            assert torch.equal(part, theirs[name])
    our_words, their_words = words(tmp_path / "run"), words(room.forwards)
    assert (our_words == their_words) == (vocabulary == "run")
    assert ("violin" in our_words) == (vocabulary == "own")
    mean = theirs["embedding.weight"].mean(dim=0)
    for row, token in enumerate(our_words.tokens):
        there = theirs["embedding.weight"][their_words.id_of(token)] if token in their_words else mean
        assert torch.equal(ours["embedding.weight"][row], there)
    known = sum(token in their_words for token in our_words.tokens)
    assert f"it knows {known} of {len(our_words)} words" in caplog.text
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    trained = last["optimizer_states"][0]["state"].values()
    assert sorted(state["exp_avg"].shape for state in trained) == [(1,), (1, 10)]


def test_all_options_compose_and_the_run_answers(
    classifier: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = classifier(
        *("task.unfreezing_epochs=1", "task.discriminative_factor=2.6", "scheduler=slanted_triangular"),
        *("task.pooling=last_mean_max", "task.bptt=8", "task.language_loss.weight=0.1"),
        *("task.language_loss.head=adaptive", "task.language_loss.cutoffs=[6]", "data.labelled=40"),
        *("trainer.max_epochs=5", "callbacks.early_stopping.patience=null"),
    )
    fit(config, tmp_path / "run")
    assert "train 40," in caplog.text
    assert "Epoch 5/5" in caplog.text
    assert load(tmp_path / "run").predict(["a lovely warm film"])[0] in ("good", "bad")


def test_a_run_goes_on_when_the_language_model_s_is_gone(
    classifier: Compose, room: Room, tmp_path: Path
) -> None:
    shutil.copytree(room.forwards, tmp_path / "language")
    options = (f"init_from={tmp_path / 'language'}", "task.unfreezing_epochs=1", "scheduler=none")
    fit(classifier(*options, "trainer.max_epochs=2"), tmp_path / "whole")
    fit(classifier(*options), tmp_path / "cut")
    shutil.rmtree(tmp_path / "language")
    config = yaml.safe_load((tmp_path / "cut" / "config.yaml").read_text())
    config["trainer"]["max_epochs"] = 2
    fit({**config, "resume": str(tmp_path / "cut")}, tmp_path / "cut")
    one, other = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "cut")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_not_said_is_the_run_s(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = train(
        monkeypatch,
        *(
            f"init_from={room.backwards}",
            f"data.corpus.train={room.reviews}",
            f"hydra.run.dir={tmp_path}/run",
        ),
        *("trainer.max_epochs=1", "model.dropout=0.05", "task.language_loss.weight=0.5"),
    )
    assert status == 0, capsys.readouterr()
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    theirs = yaml.safe_load((room.backwards / "config.yaml").read_text())
    assert config["model"] == {**theirs["model"], "dropout": 0.05}
    assert config["task"]["embedding_size"] == 5
    assert config["task"]["backward"] is True
    assert config["task"]["language_loss"] == {
        "weight": 0.5,
        "head": "adaptive",
        "cutoffs": [6],
        "tie_weights": True,
    }
    assert config["init_from"] == str(room.backwards)


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("model.hidden_size=9", ["model.hidden_size: the run has 7, asked for 9"]),
        ("model.layers=1", ["model.layers: the run has 2, asked for 1"]),
        ("model.cell=gru", ["model.cell: the run has lstm, asked for gru"]),
        (
            "model=lstm",
            ["model._target_: the run has rnnlab.encoder.regularised.RegularisedEncoder, asked for rnnlab"],
        ),
        ("task.embedding_size=6", ["task.embedding_size: the run has 5, asked for 6"]),
        ("task.backward=true", ["task.backward: the run has False, asked for True"]),
        (
            "tokenizer=char",
            ["tokenizer._target_: the run has rnnlab.text.tokenizers.BasicEnglish, asked for rnnlab.text"],
        ),
    ],
)
def test_a_contradiction_shows_both(
    word: str,
    lines: list[str],
    room: Room,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = (f"data.corpus.train={room.reviews}", f"hydra.run.dir={tmp_path}/run")
    assert train(monkeypatch, f"init_from={room.forwards}", *places, word) == 2
    told = capsys.readouterr().err
    for line in lines:
        assert line in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["task.vocabulary=runs"], ConfigError, r"task\.vocabulary=runs: unknown\. Did you mean run"),
        (["task.vectors=glove.6B.50d"], ConfigError, "both fill the embedding"),
        (["init_from=nowhere"], RunError, "no checkpoint nowhere"),
    ],
)
def test_what_can_t_be_started_from_is_told(
    overrides: list[str], error: type[Exception], message: str, classifier: Compose, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        fit(classifier(*overrides), tmp_path / "run")


def test_only_a_language_model_starts_only_a_classifier(
    classifier: Compose, room: Room, tmp_path: Path
) -> None:
    text = f"data.corpus.train={room.notes}"
    with pytest.raises(ConfigError, match="init_from: task=language_model can't start from another run"):
        fit(composed(*LANGUAGE, text, f"init_from={room.forwards}"), tmp_path / "language")
    fit(classifier(), tmp_path / "run")
    with pytest.raises(RunError, match=r"is a run of task=sentiment; take one of task=language_model"):
        fit(classifier(f"init_from={tmp_path / 'run'}"), tmp_path / "second")


def test_an_encoder_from_elsewhere_is_not_imported_unasked(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = torch.load(room.forwards / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["rnnlab"]["config"]["model"] = {"_target_": "antigravity.Encoder"}
    torch.save(checkpoint, tmp_path / "strange.ckpt")
    places = (f"data.corpus.train={room.reviews}", f"hydra.run.dir={tmp_path}/run")
    assert train(monkeypatch, f"init_from={tmp_path}/strange.ckpt", *places) == 2
    assert "names antigravity.Encoder (model), which is none of" in capsys.readouterr().err
    assert "antigravity" not in sys.modules


def test_auto_knows_an_unfinished_run_whose_encoder_came_from_the_language_model(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (f"init_from={room.forwards}", f"data.corpus.train={room.reviews}", "batches.batch_size=16")
    assert train(monkeypatch, *words, "trainer.max_epochs=1") == 0
    (metrics,) = tmp_path.rglob("metrics.json")
    metrics.unlink()
    assert train(monkeypatch, *words, "trainer.max_epochs=1", "resume=auto") == 0
    assert list(tmp_path.rglob("metrics.json")) == [metrics]
    time.sleep(1.1)  # a new run's folder is named by the second in which it begins
    assert train(monkeypatch, *words, "trainer.max_epochs=1", "task.dropout=0.3", "resume=auto") == 0
    assert len(list(tmp_path.rglob("metrics.json"))) == 2

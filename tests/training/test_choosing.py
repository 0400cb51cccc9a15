"""Which validation is the best one, and when there are no better ones to come."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.errors import ConfigError
from rnnlab.tasks.choosing import Choice, Score, choice_of
from rnnlab.tasks.sentiment.data import SentimentData
from rnnlab.tasks.sentiment.task import balanced_weights
from rnnlab.training.fit import assemble_data, fit
from rnnlab.training.run_folder import RunFolder
from tests.training.conftest import write_reviews

Compose = Callable[..., dict[str, Any]]
OWN = Choice("validation/accuracy", "max")
QUICK = ("logger=none", "baselines=false")


@pytest.fixture
def imbalanced(tmp_path: Path) -> Path:
    """One in 33 texts is spam, told by one word; whoever always says ham is right in 97 % of them."""
    chance = random.Random(3)
    path = tmp_path / "imbalanced.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for number in range(660):
            spam = number % 33 == 0
            words = chance.choices(
                ["the", "film", "was", "a", "story", "with", "some", "scene", "and", "it"], k=6
            )
            table.writerow([" ".join([*words, "prize" if spam else "plot"]), "spam" if spam else "ham"])
    return path


@pytest.mark.parametrize(
    ("new", "old", "better"),
    [
        (Score(0.9, 2.0), Score(0.8, 1.0), True),
        (Score(0.8, 1.0), Score(0.9, 2.0), False),
        (Score(0.9, 1.0), Score(0.9, 2.0), True),  # the loss decides between equals
        (Score(0.9, 2.0), Score(0.9, 2.0), False),
        (Score(0.1, 2.0), Score(float("nan"), 1.0), True),
        (Score(float("nan"), 1.0), Score(0.1, 2.0), False),
        (Score(float("nan"), 1.0), Score(float("nan"), 2.0), True),
        (Score(0.9, float("nan")), Score(0.9, float("nan")), False),  # a task that logs no loss
    ],
)
def test_equals_are_told_apart_by_the_loss(new: Score, old: Score, better: bool) -> None:
    assert OWN.is_better(new, old) is better


def test_ties_neither_keep_the_first_epoch_nor_count_against_patience(
    compose: Compose, imbalanced: Path, tmp_path: Path
) -> None:
    words = ("trainer.max_epochs=8", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-3")
    fit(compose(f"data.corpus.train={imbalanced}", *QUICK, *words), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    last = torch.load(folder.last, weights_only=True)
    best = torch.load(folder.best, weights_only=True)
    assert (last["epoch"], best["epoch"]) == (8, 7)
    validation = json.loads(folder.metrics_file.read_text())["validation"]
    assert validation["accuracy"] > 0.9


def test_class_weights_weigh_the_training_loss_alone(
    compose: Compose, imbalanced: Path, tmp_path: Path
) -> None:
    """A spam counts for 32 hams: from the start of the training, it is sought."""
    words = (f"data.corpus.train={imbalanced}", *QUICK, "trainer.max_epochs=1", "optimizer.lr=1e-2")
    plain, balanced, listed = (
        fit(compose(*words, f"task.class_weights={weights}"), tmp_path / name)
        for name, weights in (("plain", "null"), ("balanced", "balanced"), ("listed", "[1,32]"))
    )
    # All that is said to be spam more often costs accuracy, so that the loss without weights is higher.
    assert plain["test"]["loss"] + 0.1 < balanced["test"]["loss"] < 1
    assert plain["test"]["loss"] + 0.1 < listed["test"]["loss"]
    checkpoint = torch.load(tmp_path / "balanced" / "checkpoints" / "best.ckpt", weights_only=True)
    assert not [name for name in checkpoint["state_dict"] if "class_weights" in name]


def test_balanced_weights_make_classes_equal(compose: Compose, imbalanced: Path) -> None:
    data = assemble_data(compose(f"data.corpus.train={imbalanced}"))
    data.prepare()
    assert isinstance(data, SentimentData)
    counts = data.class_counts()
    assert counts.tolist() == [528 - counts[1], counts[1]]
    weights = balanced_weights(counts)
    assert (weights * counts).tolist() == pytest.approx([264, 264])
    assert balanced_weights(torch.tensor([4, 0])).isfinite().all()


def test_equal_weights_are_none(compose: Compose, tmp_path: Path) -> None:
    plain, weighted, balanced = (
        fit(compose(*QUICK, f"task.class_weights={weights}"), tmp_path / name)
        for name, weights in (("plain", "null"), ("weighted", "[1,1]"), ("balanced", "balanced"))
    )
    assert plain["test"] == weighted["test"]
    assert plain["test"] == pytest.approx(balanced["test"], rel=0.05)


def test_the_metric_can_be_chosen(compose: Compose, tmp_path: Path) -> None:
    words = ("trainer.max_epochs=5", "optimizer.lr=0.05", *QUICK)
    fit(compose(*words, "callbacks.checkpoint.monitor=loss"), tmp_path / "run")
    note = json.loads(RunFolder(tmp_path / "run").progress_file.read_text())
    state = torch.load(RunFolder(tmp_path / "run").last, weights_only=True)["callbacks"]
    kept = next(each for name, each in state.items() if "KeepBest" in name)
    stopping = next(each for name, each in state.items() if "EarlyStopping" in name)
    assert kept["score"] == note["best"]["loss"] == float(stopping["best_score"])


def test_early_stopping_may_look_at_another_metric(compose: Compose, tmp_path: Path) -> None:
    word = "callbacks.early_stopping.monitor=validation/auroc"
    fit(compose(*QUICK, word), tmp_path / "run")
    state = torch.load(RunFolder(tmp_path / "run").last, weights_only=True)["callbacks"]
    kept = next(each for name, each in state.items() if "KeepBest" in name)
    assert kept["score"] == kept["metrics"]["accuracy"]
    assert any("validation/auroc" in name for name in state)


def test_a_run_that_goes_on_may_choose_by_another_metric(
    compose: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = fit(compose(*QUICK), tmp_path / "run")
    words = ("callbacks.checkpoint.monitor=loss", f"resume={tmp_path / 'run'}")
    chosen = "best.ckpt was chosen by the max of validation/accuracy"
    with pytest.raises(ConfigError, match=f"{chosen}, and no epoch is left"):
        fit(compose(*QUICK, *words), tmp_path / "run")
    assert RunFolder(tmp_path / "run").metrics() == metrics
    fit(compose(*QUICK, *words, "trainer.max_epochs=4"), tmp_path / "run")
    assert chosen in caplog.text
    state = torch.load(RunFolder(tmp_path / "run").last, weights_only=True)["callbacks"]
    kept = next(each for name, each in state.items() if "KeepBest" in name)
    assert kept["score"] == kept["metrics"]["loss"]


def test_a_class_of_more_than_two_may_choose(compose: Compose, tmp_path: Path) -> None:
    table = write_reviews(tmp_path / "three.csv", labels=("good", "bad", "odd"))
    words = ("callbacks.checkpoint.monitor=f1/odd", "scheduler=plateau")
    fit(compose(f"data.corpus.train={table}", *QUICK, *words), tmp_path / "run")
    note = json.loads(RunFolder(tmp_path / "run").progress_file.read_text())
    assert "f1/odd" in note["best"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("callbacks.checkpoint.monitor=acuracy", "Did you mean accuracy"),
        ("callbacks.checkpoint.monitor=acc", "Did you mean accuracy?"),
        ("callbacks.early_stopping.monitor=validation/f1/odd", "Did you mean validation/f1"),
        ("callbacks.checkpoint.monitor=test/accuracy", "only a metric of the validation split"),
        ("callbacks.checkpoint.monitor=train/loss", "only a metric of the validation split"),
        ("callbacks.checkpoint.monitor=3", "checkpoint.monitor=3: expected the name of a metric"),
        ("callbacks.checkpoint.mode=most", "checkpoint.mode=most: expected min or max"),
        ("callbacks.early_stopping.mode=0", "early_stopping.mode=0: expected min or max"),
        ("callbacks.checkpoint.monitor=mcc", "say where it is best: callbacks.checkpoint.mode=min or"),
        ("callbacks.checkpoint.monitor=mcc", "Choose from: accuracy, auroc, f1, loss. Of one"),
        ("task.class_weights=balancd", "Did you mean balanced"),
        ("task.class_weights=[1,2,3]", "expected a number for each of 2 classes: bad, good"),
        ("task.class_weights=[1,0]", "expected numbers above 0"),
        ("task.class_weights=2", "task.class_weights=2: expected"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    word: str, message: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        fit(compose(*QUICK, word), tmp_path / "run")
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_mode_is_known_or_said() -> None:
    assert choice_of({}, OWN, "") == OWN
    assert choice_of({"monitor": "f1/spam"}, OWN, "") == Choice("validation/f1/spam", "max")
    assert choice_of({"monitor": "mcc", "mode": "max"}, OWN, "") == Choice("validation/mcc", "max")

"""Trainings that are limited otherwise than by epochs alone."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.errors import ConfigError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.processors import processors
from rnnlab.tasks.sentiment.metrics import MeanAUROC
from rnnlab.training.fit import fit
from rnnlab.training.hardware import check_devices
from rnnlab.training.report import longer
from rnnlab.training.resume import resumed_config
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.scoring import LIMITS

Compose = Callable[..., dict[str, Any]]
QUICK = ("baselines=false", "logger=none", "callbacks.early_stopping.patience=null")


def steps_of(folder: Path) -> int:
    return int(read_checkpoint(RunFolder(folder).last)["global_step"])


@pytest.mark.parametrize(
    "limits",
    [
        ("trainer.max_epochs=20", "+trainer.max_steps=7"),
        ("trainer.max_epochs=-1", "+trainer.max_steps=7"),
        ("trainer.max_epochs=-1", "+trainer.max_steps=7", "scheduler=slanted_triangular"),
    ],
)
def test_steps_may_be_limited_over_several_epochs(
    limits: tuple[str, ...], compose: Compose, tmp_path: Path
) -> None:
    fit(compose(*QUICK, "trainer.limit_train_batches=3", *limits), tmp_path / "run")
    assert steps_of(tmp_path / "run") == 7
    content = read_checkpoint(RunFolder(tmp_path / "run").last)
    assert content["lr_schedulers"][0]["last_epoch"] == 7


def test_a_run_limited_by_steps_goes_on(compose: Compose, tmp_path: Path) -> None:
    words = (*QUICK, "trainer.limit_train_batches=3", "trainer.max_epochs=-1")
    fit(compose(*words, "+trainer.max_steps=4"), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")

    def go_on(*words: str) -> None:
        fit(resumed_config(compose(*words), folder, words), folder.path)

    with pytest.raises(ConfigError, match=r"trainer\.max_steps=3: the run has done 4 steps already"):
        go_on("+trainer.max_steps=3")
    (word,) = longer(folder.config()["trainer"], folder.progress())
    go_on(word)
    assert steps_of(tmp_path / "run") == 8


def test_a_run_that_its_time_has_ended_goes_on(compose: Compose, tmp_path: Path) -> None:
    limits = ("+trainer.min_epochs=1", "+trainer.max_time=00:00:00:00")
    fit(compose("baselines=false", "logger=none", *limits), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    words = longer(folder.config()["trainer"], folder.progress())
    assert words == ["++trainer.max_time=null", "callbacks.early_stopping.patience=null"]
    fit(resumed_config(compose(*words), folder, words), folder.path)
    assert read_checkpoint(folder.last)["epoch"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trainer.limit_val_batches=0",), "best checkpoint is chosen on the validation split"),
        (("trainer.limit_test_batches=0",), "ends with its score on the test split"),
        (("+trainer.check_val_every_n_epoch=3", "trainer.max_epochs=2"), "no validation would"),
        (("trainer.max_epochs=-1",), "must know how long the training is"),
        (("+trainer.max_steps=1",), "before its first validation"),
        (("+trainer.max_steps=1", "callbacks.early_stopping.patience=3"), "before its first validation"),
    ],
)
def test_a_training_without_a_validation_is_refused(
    words: tuple[str, ...], message: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(compose(*QUICK, *words), tmp_path / "run")


@pytest.mark.parametrize(("split", "key"), LIMITS.items())
def test_a_share_below_one_batch_is_told_before_training(
    split: str, key: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=rf"trainer\.{key}=0\.01: of the \d+ batches of the {split} split"):
        fit(compose(*QUICK, f"trainer.{key}=0.01"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_patience_at_all_still_trains(compose: Compose, tmp_path: Path) -> None:
    words = ("trainer.max_epochs=6", "callbacks.early_stopping.patience=0", "optimizer.lr=1e-9")
    fit(compose(*QUICK, *words), tmp_path / "run")
    assert read_checkpoint(RunFolder(tmp_path / "run").last)["epoch"] == 2  # the second was no better


def test_a_run_without_step_scalars(compose: Compose, tmp_path: Path) -> None:
    fit(compose("baselines=false", "trainer.log_every_n_steps=0"), tmp_path / "run")
    assert list((tmp_path / "run").glob("events*"))


def test_a_class_that_does_not_occur_counts_for_nothing() -> None:
    auroc = MeanAUROC(4)
    right = torch.tensor([0, 2, 2, 0])
    auroc.update(torch.nn.functional.one_hot(right, 4).float(), right)
    assert float(auroc.compute()) == 1.0
    auroc.reset()
    auroc.update(torch.full((2, 4), 0.25), torch.tensor([1, 1]))
    assert math.isnan(float(auroc.compute()))


def test_more_processes_than_processors_are_asked_for_twice() -> None:
    many = {"accelerator": "cpu", "devices": processors() + 1}
    with pytest.raises(ConfigError, match=r"\+trainer\.strategy=ddp"):
        check_devices(many)
    check_devices({**many, "strategy": "ddp"})

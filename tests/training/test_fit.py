"""A run from its configuration to its folder."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
import torch
import yaml

from rnnlab.errors import ConfigError, RnnlabError, RunError
from rnnlab.training import checkpoints
from rnnlab.training.fit import fit, prepare
from tests.training.conftest import write_reviews

Compose = Callable[..., dict[str, Any]]

POOLINGS = ["last", "mean", "max", "mean_max", "last_mean_max", "attention"]


@pytest.mark.smoke
def test_run_folder_holds_all_of_it(compose: Compose, tmp_path: Path) -> None:
    config = compose()
    fit(config, tmp_path / "run")
    folder = tmp_path / "run"
    del config["sweep"], config["trust"]  # they are of no run
    assert yaml.safe_load((folder / "config.yaml").read_text()) == config
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics) == {
        *("test", "validation", "baselines", "seconds_per_epoch", "tokens_per_second"),
        *("wall_seconds", "seed", "device", "versions", "labels", "monitor", "together"),
    }
    assert set(metrics["test"]) == {"accuracy", "auroc", "f1", "loss"}
    assert set(metrics["baselines"]) == {"majority class", "bag of bigrams"}
    assert list(folder.glob("events*"))
    checkpoint = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["rnnlab"]["config"] == config
    assert checkpoint["rnnlab"]["labels"] == ["bad", "good"]
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_it_learns_what_a_bag_of_words_learns(compose: Compose, tmp_path: Path) -> None:
    metrics = fit(
        compose("trainer.max_epochs=12", "callbacks.early_stopping.patience=null"), tmp_path / "run"
    )
    assert metrics["test"]["accuracy"] > metrics["baselines"]["majority class"]["accuracy"] + 0.2


def test_same_seed_same_figures_and_another_differs(compose: Compose, tmp_path: Path) -> None:
    first, again, other = (
        fit(compose(f"seed={seed}", "baselines=false"), tmp_path / name)
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert json.dumps([first["test"], first["validation"]]) == json.dumps(
        [again["test"], again["validation"]]
    )
    assert first["test"] != other["test"]


@pytest.mark.parametrize(
    "cell", ["gru", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("rnn", "lstm"))]
)
@pytest.mark.parametrize(("bidirectional", "layers"), [(False, 3), (True, 1)])
def test_every_cell_with_every_pooling(
    cell: str, bidirectional: bool, layers: int, compose: Compose, tmp_path: Path
) -> None:
    for pooling in POOLINGS:
        config = compose(
            f"model={cell}",
            f"model.bidirectional={bidirectional}",
            f"model.layers={layers}",
            f"task.pooling={pooling}",
            "debug=fast_dev_run",
            "logger=none",
        )
        metrics = fit(config, tmp_path / pooling)
        assert metrics["test"]["loss"] > 0


def test_more_than_two_classes(compose: Compose, tmp_path: Path) -> None:
    table = write_reviews(tmp_path / "three.csv", labels=("good", "bad", "odd"))
    metrics = fit(compose(f"data.corpus.train={table}"), tmp_path / "run")
    assert {"accuracy", "f1", "auroc", "loss", "f1/bad", "f1/good", "f1/odd"} <= set(metrics["test"])


def test_a_run_begins_with_its_classes_and_what_is_odd_about_them(
    compose: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "x.csv"
    rows = "".join(f"text {i},{('good', 'Good', 'bad')[i % 3]}\n" for i in range(60))
    table.write_text(f"text,label\n{rows}")
    config = compose(f"data.corpus.train={table}", "data.labelled=30")
    with caplog.at_level("INFO"):
        prepare(config, None)
    assert "3 classes, with their documents in train: Good 10, bad 10, good 10." in caplog.messages
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("'Good' (20), 'good' (20)" in warning for warning in warnings)


def test_overfit_learns_its_batches_by_heart(compose: Compose, tmp_path: Path) -> None:
    config = compose("debug=overfit", "task.dropout=0", "task.embedding_dropout=0", "task.word_dropout=0")
    fit(config, tmp_path / "run")
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] % 4 == 0


def test_a_folder_with_a_run_is_never_overwritten(compose: Compose, tmp_path: Path) -> None:
    config = compose("debug=fast_dev_run")
    fit(config, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    with pytest.raises(RunError, match="already holds a run"):
        fit(config, tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


def test_a_full_disk_is_told_and_leaves_no_half_checkpoint(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(checkpoint: Any, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(RnnlabError, match="disk is full"):
        fit(compose("debug=fast_dev_run"), tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.ckpt"))
    assert not [path for path in (tmp_path / "run").rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("task.pooling=means", "task.pooling=means is unknown. Did you mean mean"),
        ("model.cell=gruu", "model.cell=gruu is unknown. Did you mean gru"),
        ("+model.heads=4", "model.heads: gru has no such option"),
        ("batches.truncate=middle", "truncate"),
        ("optimizer.lr=-1", "optimizer.lr=-1: expected a number from 0"),
        ("optimizer._target_=os.system", "optimizer._target_=os.system is not a class"),
        ("+bogus=1", "bogus: nothing reads this key"),
        ("data.corpus.label_column=null", "csv has no labels; task=sentiment needs them"),
    ],
)
def test_wrong_configurations_are_refused_before_anything_is_written(
    override: str, message: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        fit(compose(override), tmp_path / "run")
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_told(compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no CUDA GPU"):
        fit(compose("trainer=gpu"), tmp_path / "run")


def test_the_averaging_optimizer_averages_a_classifier(compose: Compose, tmp_path: Path) -> None:
    config = compose(
        *("optimizer=averaged_sgd", "optimizer.lr=5", "optimizer.patience=1", "scheduler=none"),
        *("trainer.max_epochs=8", "callbacks.early_stopping.patience=null", "logger=none", "baselines=false"),
    )
    fit(config, tmp_path / "run")
    last = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    group = last["optimizer_states"][0]["param_groups"][0]
    assert len(group["seen"]) == 8
    assert group["averaging"]
    weights, state = last["state_dict"], last["optimizer_states"][0]["state"]
    assert torch.equal(weights["embedding.weight"], state[0]["average"]), "the mean is what is validated"

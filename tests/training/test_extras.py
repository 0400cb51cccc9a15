"""Callbacks and loggers of one's own: named, checked, used, closed; a key that nothing reads is an error."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from rnnlab.errors import ConfigError
from rnnlab.training.fit import fit
from rnnlab.training.loggers import built_entries

Compose = Callable[..., dict[str, Any]]
HERE = "tests.training.test_extras"
SEEN: list[tuple[str, Any]] = []
QUICK = ["debug=fast_dev_run", "model.backend=torch"]


class Counting(Callback):
    """Counts steps."""

    def __init__(self, start: int = 0) -> None:
        self.steps = start

    def on_train_batch_end(self, *arguments: Any) -> None:
        self.steps += 1

    def on_train_end(self, *arguments: Any) -> None:
        SEEN.append(("steps", self.steps))


class Remembering(Logger):
    """A service's logger: it has an experiment to be closed."""

    def __init__(self, project: str, save_dir: str) -> None:
        super().__init__()
        self.project, self.place = project, save_dir

    name = version = "remembering"  # type: ignore[assignment]

    @property
    def experiment(self) -> "Remembering":
        return self

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        SEEN.append(("metrics", metrics))

    def log_hyperparams(self, params: Any, *arguments: Any, **options: Any) -> None:
        SEEN.append(("config", params))

    def finalize(self, status: str) -> None:
        SEEN.append(("status", status))

    def finish(self) -> None:
        SEEN.append(("closed", self.place))


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


def seen(what: str) -> list[Any]:
    return [value for name, value in SEEN if name == what]


def test_they_are_made_used_and_closed(compose: Compose, tmp_path: Path) -> None:
    config = compose(
        *QUICK,
        "logger=none",
        f"+callbacks.extra.counting._target_={HERE}.Counting",
        "+callbacks.extra.counting.start=10",
        f"+logger.extra.mine._target_={HERE}.Remembering",
        "+logger.extra.mine.project=films",
    )
    fit(config, tmp_path / "run")
    assert seen("steps") == [12]
    assert seen("config")[0]["model"]["cell"] == "gru"
    assert any("validation/loss" in metrics for metrics in seen("metrics"))
    assert "final/test/accuracy" in seen("metrics")[-1]
    assert seen("status")[-1] == "success"
    assert seen("closed") == [str(tmp_path / "run" / "mine")]


def test_one_is_closed_when_the_training_fails(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Counting, "on_train_end", failing)
    entries = [f"+callbacks.extra.mine._target_={HERE}.Counting", "logger=none"]
    entries += [f"+logger.extra.mine._target_={HERE}.Remembering", "+logger.extra.mine.project=films"]
    with pytest.raises(RuntimeError, match="a defect"):
        fit(compose(*QUICK, *entries), tmp_path / "run")
    assert seen("status")[-1] == "failed"
    assert seen("closed")


def test_the_table_of_metrics_is_beside_tensorboards_files(compose: Compose, tmp_path: Path) -> None:
    fit(compose(*QUICK, "logger=[tensorboard,csv]"), tmp_path / "run")
    with (tmp_path / "run" / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row.get("validation/loss") for row in rows)
    assert rows[-1]["final/test/accuracy"]
    told = yaml.safe_load((tmp_path / "run" / "csv" / "hparams.yaml").read_text())
    assert told["model"]["cell"] == "gru"
    assert list((tmp_path / "run").glob("events*"))
    fit(
        {
            **compose("model.backend=torch", "debug=fast_dev_run", "logger=[tensorboard,csv]"),
            "resume": str(tmp_path / "run"),
            "trainer": {**compose(*QUICK)["trainer"], "max_epochs": 3},
        },
        tmp_path / "run",
    )
    assert (tmp_path / "run" / "csv" / "from_step_2" / "metrics.csv").is_file()


@pytest.mark.parametrize("choice", ["wandb", "mlflow"])
def test_what_is_not_installed_says_what_to_install(
    choice: str, compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"lightning.pytorch.loggers.{choice}._{choice.upper()}_AVAILABLE", False)
    monkeypatch.setitem(sys.modules, choice, None)
    try:
        fit(compose(*QUICK, f"logger={choice}"), tmp_path / "run")
    except ConfigError as error:
        assert f"logger.extra.{choice}: it needs" in str(error)  # noqa: PT017
        assert f"pip install {choice}" in str(error)  # noqa: PT017
    else:
        pytest.fail("it was not refused")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+callbacks.early_stoping.patience=3"], "callbacks.early_stoping: nothing reads this key. Did you"),
        (["+callbacks.ema.decay=0.9"], "+callbacks.extra.ema._target_=..."),
        (["+logger.promt=a"], "logger.promt: nothing reads this key. Did you mean prompt"),
        (["+callbacks.extra.a._target_=torch.nn.Linear"], "is not a class derived from Callback"),
        ([f"+logger.extra.a._target_={HERE}.Counting"], "is not a class derived from Logger"),
        (
            [f"+callbacks.extra.a._target_={HERE}.Counting", "+callbacks.extra.a.strat=1"],
            "Did you mean start",
        ),
        (["+callbacks.extra.a=3"], "callbacks.extra.a=3: expected _target_"),
        (["+callbacks.extra.a.word=b"], "callbacks.extra.a has no _target_, the class to build"),
    ],
)
def test_what_is_none_is_told(words: list[str], message: str, compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        fit(compose(*QUICK, *words), tmp_path / "run")
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


def test_an_entry_can_be_switched_off() -> None:
    assert built_entries("callbacks", {"mine": None}, Callback) == []
    assert built_entries("callbacks", None, Callback) == []


def test_a_key_whose_value_is_null_can_be_deleted(compose: Compose) -> None:
    assert "max_tokens" in compose()["batches"]
    assert "max_tokens" not in compose("~batches.max_tokens")["batches"]
    assert "corpus" not in compose("~data.corpus")["data"]

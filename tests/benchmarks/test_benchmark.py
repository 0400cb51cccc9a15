import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rnnlab.benchmarks import keras_speed
from rnnlab.benchmarks.benchmark import benchmark
from rnnlab.errors import ConfigError
from tests.benchmarks.composed import CONF, composed
from tests.benchmarks.tiny_imdb import REVIEWS, write_archive

SCRIPT = CONF.parent / "scripts" / "benchmark.py"
SMALL = (
    *(
        "cells=[gru]",
        "hidden_sizes=[4]",
        "repeats=2",
        "batches_per_turn=3",
        "turn_seconds=1e-3",
        "keras_epochs=2",
    ),
    *("batches.batch_size=8", "data.vocabulary.min_frequency=1", "backend=torch", "trainer=cpu"),
)


@pytest.fixture
def tiny_imdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnlab.corpora.imdb.Imdb.reviews_per_folder", REVIEWS)
    write_archive(tmp_path / "data")


@pytest.fixture
def fake_python(tmp_path: Path) -> Path:
    """An interpreter that has Keras, in its own way."""
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name('fake_keras.py')} ok $2\n")
    fake.chmod(0o755)
    return fake


@pytest.mark.usefixtures("tiny_imdb")
def test_whole_benchmark(tmp_path: Path, fake_python: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with composed(*SMALL, f"keras_python={fake_python}") as config:
        results = benchmark(config, tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert kept == json.loads(json.dumps(results))
    assert (tmp_path / "run" / "benchmark.png").read_bytes().startswith(b"\x89PNG")

    assert [(row["cell"], row["hidden_size"]) for row in kept["sentiment"]] == [("gru", 4)]
    for row in kept["sentiment"]:
        assert list(row["contestants"]) == ["trainer", "bare", "padded", "packed"]
        assert row["documents"] == 3 * 8
        for found in row["contestants"].values():
            rates = found["training"]["tokens_per_second"]
            assert len(rates["values"]) == 2
            assert rates["values"] == pytest.approx([row["tokens"] / s for s in found["training"]["seconds"]])
            assert found["training"]["operations_per_second"] > 0
        assert set(row["times_as_fast"]["inference"]) == {"bare", "padded", "packed"}
    race = kept["keras"]
    assert race["documents"] == 2 * REVIEWS * 0.8
    assert [row["cell"] for row in race["rows"]] == ["gru"]
    for row in race["rows"]:
        assert row["loss"]["keras"] == [1.0, 0.5]
        assert row["loss"]["rnnlab"][1] < row["loss"]["rnnlab"][0]
        assert row["seconds_per_epoch"]["keras"]["median"] == 0.5

    seen = capsys.readouterr().out
    for words in ("Sentiment classifiers on imdb", "gru 4", "bare loop", "Keras 0.fake", "benchmark.png"):
        assert words in seen


@pytest.mark.usefixtures("tiny_imdb")
def test_a_chosen_few_and_no_keras(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with composed(*SMALL, "contestants=packed", "cells=rnn", "keras=false", "beside=1") as config:
        results = benchmark(config, tmp_path / "run")
    (row,) = results["sentiment"]
    assert list(row["contestants"]) == ["packed"]
    assert row["times_as_fast"] == {}
    assert len(row["left_beside"]["packed"]["values"]) == 2
    assert "beside a busy process" in capsys.readouterr().out
    assert "keras" not in results


def test_keras_needs_imdb(tmp_path: Path) -> None:
    from rnnlab.benchmarks.benchmark import takes_keras
    from rnnlab.benchmarks.settings import Settings

    with composed(*SMALL, "data=rotten_tomatoes", "keras_python=anything") as config:
        assert not takes_keras(config, Settings.of(config))
    with composed(*SMALL, "keras_python=anything") as config:
        assert takes_keras(config, Settings.of(config))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_race_is_with_the_textbook_experiment(cell: str) -> None:
    with composed("backend=torch", "trainer=cpu", "seed=7") as config:
        found: dict[str, Any] = keras_speed.experiment(cell, config)
    assert found["model"]["cell"] == cell
    assert found["model"]["hidden_size"] == found["task"]["embedding_size"] == 32
    assert found["model"]["backend"] == "torch"
    assert found["data"]["vocabulary"]["max_size"] == 10_000
    assert found["data"]["corpus"]["validation"] == 0.2
    assert (found["batches"]["batch_size"], found["batches"]["max_length"]) == (128, 500)
    assert found["optimizer"]["_target_"] == "torch.optim.RMSprop"
    assert (found["trainer"]["accelerator"], found["seed"]) == ("cpu", 7)


@pytest.mark.parametrize("key", ["cells", "hidden_sizes", "contestants"])
def test_nothing_to_measure_is_refused(key: str) -> None:
    from rnnlab.benchmarks.settings import Settings

    with composed(*SMALL, f"{key}=[]") as config, pytest.raises(ConfigError, match=f"{key} is empty"):
        Settings.of(config)


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with composed(*SMALL) as config, pytest.raises(ConfigError, match="repeat: nothing reads this key"):
        benchmark({**config, "repeat": 3}, tmp_path / "run")


def test_script_tells_of_a_mistake_and_exits_with_2(tmp_path: Path) -> None:
    run = [sys.executable, str(SCRIPT), "cells=[gur]", f"hydra.run.dir={tmp_path}/run"]
    done = subprocess.run(
        run, capture_output=True, text=True, env=dict(os.environ), cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert "cells: gur is unknown. Did you mean gru?" in done.stderr
    assert "Traceback" not in done.stderr

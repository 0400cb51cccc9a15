"""Forecasters take turns on the same series; who is not installed is named and left out."""

import importlib.util
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from rnnlab.benchmarks import forecasting_speed
from rnnlab.benchmarks.benchmark import benchmark
from rnnlab.benchmarks.turns import Pass, Turn
from rnnlab.errors import ConfigError
from rnnlab.training.fit import assemble_data
from tests.benchmarks.composed import composed

WORDS = [
    *("task=forecasting", "data.corpus.towns=2", "data.corpus.steps=200", "data.look_back=12"),
    *("data.horizon=4", "batches.batch_size=16", "hidden_sizes=[4]", "repeats=2", "batches_per_turn=3"),
    *("trainer=cpu", "backend=torch", "scheduler=none"),
]


def test_a_benchmark_without_the_other_program(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "neuralforecast" else there(name, *more),
    )
    with composed(*WORDS) as config, caplog.at_level(logging.INFO):
        benchmark(config, tmp_path)
    assert "Without neuralforecast: this Python lacks neuralforecast" in caplog.text
    (row,) = json.loads((tmp_path / "benchmark.json").read_text())["forecasting"]
    assert list(row["contestants"]) == ["trainer"]
    assert row["contestants"]["trainer"]["training"]["steps_per_second"]["median"] > 0
    assert "thousands of look-back steps a second" in capsys.readouterr().out


def test_the_other_program_is_given_the_same_series() -> None:
    pytest.importorskip("pandas")
    with composed(*WORDS, "batches.calendar=[hour]") as config:
        data = assemble_data(config)
    data.prepare()
    frame = forecasting_speed.frame_of(data)  # type: ignore[arg-type]
    assert list(frame.columns) == ["unique_id", "ds", "y", "holiday", "hour (sine)", "hour (cosine)"]
    assert frame.groupby("unique_id").size().tolist() == [140, 140]  # their training parts
    assert np.abs(frame.groupby("unique_id").y.mean()).max() < 1e-5


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    for word, reason in (
        ("task.loss=mae", r"task\.loss must be mse"),
        ("task.conformal=true", r"task\.conformal must be False"),
        ("contestants=[bare]", r"there is no contestant bare"),
    ):
        with composed(*WORDS, word) as config, pytest.raises(ConfigError, match=reason):
            benchmark(config, tmp_path)


def test_who_only_trains_has_no_rate_of_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")

    def turn(self: forecasting_speed.NeuralForecast, steps: int) -> Turn:
        assert len(self.frame) == 2 * 140
        return Turn(Pass(2.0, steps * 1000), None, 0.5, peak_memory=1 << 20)

    monkeypatch.setattr(forecasting_speed.NeuralForecast, "turn", turn)
    monkeypatch.setattr(forecasting_speed, "contestants_of", lambda settings: list(settings.contestants))
    monkeypatch.setattr(forecasting_speed, "version", lambda name: "9.9")
    with composed(*WORDS) as config:
        benchmark(config, tmp_path)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "neuralforecast 9.9" in line)
    rate, spread, ratio, mebibytes = line.split()[2:]
    assert (rate, spread, mebibytes) == ("1.5", "1.5-1.5", "1")
    assert float(ratio) > 0


@pytest.mark.slow
def test_the_other_program_trains(tmp_path: Path) -> None:
    pytest.importorskip("neuralforecast")
    with composed(*WORDS) as config:
        benchmark(config, tmp_path)
    (row,) = json.loads((tmp_path / "benchmark.json").read_text())["forecasting"]
    assert set(row["contestants"]) == {"trainer", "neuralforecast"}
    assert row["times_as_fast"]["training"]["neuralforecast"]["median"] > 0

"""The report on a device, tried on the CPU: its sections, its picture, and what is left of one cut off."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.benchmarks import device_report
from rnnlab.benchmarks.benchmark import benchmark
from rnnlab.benchmarks.device_report import ON_CPU, Report, equality, rate_of, review_lengths, step, training
from rnnlab.errors import ConfigError
from tests.benchmarks.composed import CONF, composed

CPU = torch.device("cpu")
SCRIPT = CONF.parent / "scripts" / "benchmark.py"


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """A report with a minute left, of tasks and cells that are few."""
    monkeypatch.setattr(device_report, "cell_classes", lambda: {"gru": None})
    found = Report({"began": "now"}, tmp_path, 1, CPU)
    found.size = ON_CPU._replace(units=(8,), windows=2)
    return found


def test_sections_are_kept_row_by_row_and_drawn(report: Report, tmp_path: Path) -> None:
    with composed():
        for name, section in (("equality", equality), ("step", step)):
            with report.section(name, 1.0) as found:
                section(report, found)
        with report.section("training", 0.0) as found:  # its time is up with the first step
            training(report, found)
    kept = json.loads((tmp_path / "benchmark.json").read_text())
    assert kept == json.loads(json.dumps(report.results))
    rows = {row["of"]: row for row in kept["equality"]["rows"]}
    assert set(rows) == {"sentiment", "language_model", "memory", "forecasting", "speech", "cell gru"}
    assert all(row["is_equal"] and row["repeats"] is True for row in rows.values())
    by_way: dict[str, list[Any]] = {}
    for row in kept["step"]["rows"]:
        by_way.setdefault(row["way"], []).append(row)
    assert all(row["seconds"] > 0 for way in ("bare", "trainer") for row in by_way[way])
    assert all("records what a CUDA GPU" in row["failed"] for row in by_way["graph"])
    (point,) = kept["training"]["train"]
    assert point["step"] == 1
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("way", ["full", "padded", "packed", "masked"])
def test_rates_are_of_real_tokens(way: str) -> None:
    lengths = review_lengths(ON_CPU)
    found = rate_of("lstm", 16, "float32", way, ON_CPU, CPU)
    assert found["tokens"] == (ON_CPU.batch * ON_CPU.steps if way == "full" else int(lengths.sum()))
    assert found["tokens_per_second"] > 0


def test_a_section_that_fails_does_not_end_the_others(report: Report, tmp_path: Path) -> None:
    with report.section("rates", 1.0):
        raise RuntimeError("CUDA out of memory.\nTried to allocate much")
    kept = json.loads((tmp_path / "benchmark.json").read_text())
    assert kept["rates"]["failed"] == "RuntimeError: CUDA out of memory."


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_told(tmp_path: Path) -> None:
    with composed("device=cuda") as config, pytest.raises(ConfigError, match="no CUDA GPU here"):
        benchmark(config, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_measured_outlasts_a_cut_at_any_time(number: int, tmp_path: Path) -> None:
    chance = random.Random(int(number))
    folder = tmp_path / "run"
    words = ["device=cpu", "minutes=0.5", f"hydra.run.dir={folder}"]
    running = subprocess.Popen(
        [sys.executable, str(SCRIPT), *words], cwd=tmp_path, env=dict(os.environ), stdout=subprocess.DEVNULL
    )
    while not (folder / "benchmark.json").is_file():
        assert running.poll() is None
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 20))
    running.send_signal(number)
    running.wait(timeout=240)
    kept = json.loads((folder / "benchmark.json").read_text())
    assert {"began", "machine"} <= set(kept)
    if (folder / "benchmark.png").exists():
        assert (folder / "benchmark.png").read_bytes().endswith(b"IEND\xaeB`\x82")

"""What the clock of a training counts."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rnnlab.kernels import compiler as waiting_module
from rnnlab.kernels.compiler import Kernel, seconds_waited, waiting
from rnnlab.training import clock as clock_module
from rnnlab.training.fit import fit

COMPILING = 1000.0


class Time:
    """A clock that goes only where it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    told = Time()
    for module in (waiting_module, clock_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=told.perf_counter))
    monkeypatch.setattr(waiting_module, "_total", 0.0)
    return told


def test_waits_in_one_another_count_once(time: Time) -> None:
    with waiting():
        time.seconds += 1
        with waiting():
            time.seconds += 2
        time.seconds += 4
    time.seconds += 8
    with suppress(ValueError), waiting():
        time.seconds += 16
        raise ValueError
    assert seconds_waited() == 1 + 2 + 4 + 16


def test_seconds_and_rates_are_without_compilation(
    time: Time, compose: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, steps = Kernel._prepared, [0]

    def slow(self: Kernel, numbers: str) -> Callable[..., Any]:
        time.seconds += COMPILING
        return prepared(self, numbers)

    def step(*args: Any) -> None:
        time.seconds += 1
        steps[0] += 1

    monkeypatch.setattr(Kernel, "_prepared", slow)
    for kernel in Kernel.named.values():
        monkeypatch.setattr(kernel, "_ready", {})
    monkeypatch.setattr(clock_module.TrainingClock, "on_train_batch_end", step, raising=False)
    words = (
        "logger=none",
        "baselines=false",
        "model.backend=fused",
        "callbacks.early_stopping.patience=null",
    )
    metrics = fit(compose(*words), tmp_path / "run")
    assert time.seconds >= 2 * COMPILING  # forwards and backwards
    assert metrics["wall_seconds"] == steps[0]
    assert metrics["seconds_per_epoch"] == steps[0] / 2

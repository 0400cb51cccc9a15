"""The price of logging, measured on trainings of a moment."""

from pathlib import Path
from typing import Any

import pytest

from rnnlab.benchmarks import tables
from rnnlab.benchmarks.logging_cost import contestants_of, measure
from rnnlab.benchmarks.settings import Settings
from rnnlab.errors import RunError
from tests.benchmarks.composed import composed
from tests.training.conftest import write_reviews

SMALL = ("logging=true", "cells=gru", "hidden_sizes=4", "repeats=1", "backend=torch", "keras=false")


def config_of(tmp_path: Path, *overrides: str) -> dict[str, Any]:
    table = write_reviews(tmp_path / "reviews.csv", count=60)
    data = ("data=csv", f"data.corpus.train={table}", "data.vocabulary.min_frequency=1")
    with composed(*SMALL, *data, "trainer=cpu", "trainer.max_epochs=1", *overrides) as config:
        return config


def test_silent_and_logging_differ_in_the_logger_only(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    found = contestants_of(config, Settings.of(config))
    assert set(found) == {"silent", "logging"}
    assert found["silent"]["logger"] == {"tensorboard": False}
    assert {key for key in found["silent"] if found["silent"][key] != found["logging"][key]} == {"logger"}


def test_diagnostics_take_part_where_they_are_asked_for(tmp_path: Path) -> None:
    config = config_of(tmp_path, "callbacks=diagnostics")
    found = contestants_of(config, Settings.of(config))
    assert "diagnostics" in found["diagnostics"]["callbacks"]
    assert "diagnostics" not in found["logging"]["callbacks"]


@pytest.mark.slow
def test_whole_trainings_are_compared(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    found = measure(config, Settings.of(config))
    (silent,), (logged,) = found["turns"]["silent"], found["turns"]["logging"]
    assert found["ratios"]["logging"]["whole"]["median"] == logged["seconds"] / silent["seconds"]
    assert found["ratios"]["logging"]["epoch"]["median"] == logged["epoch"] / silent["epoch"]
    (table,) = tables.tables_of({"logging": found, "config": config})
    assert table.row_count == 2


@pytest.mark.slow
def test_a_training_that_fails_ends_the_benchmark_with_its_words(tmp_path: Path) -> None:
    config = config_of(tmp_path, "data.corpus.train=nowhere.csv")
    with pytest.raises(RunError, match=r"nowhere\.csv"):
        measure(config, Settings.of(config))

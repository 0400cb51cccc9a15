"""What batching brings to prediction, measured on a model of a moment."""

from pathlib import Path

import pytest

from rnnlab.benchmarks import tables
from rnnlab.benchmarks.prediction_speed import measure, sample
from rnnlab.benchmarks.settings import Settings
from rnnlab.errors import RunError
from rnnlab.training.checks import SECTIONS
from rnnlab.training.fit import fit
from tests.benchmarks.composed import composed
from tests.training.conftest import write_reviews


def test_both_ways_answer_and_are_compared_by_round(tmp_path: Path) -> None:
    table = write_reviews(tmp_path / "reviews.csv", count=60)
    small = ("data.vocabulary.min_frequency=1", "task.embedding_size=4", "trainer=cpu", "logger=none")
    with composed("data=csv", f"data.corpus.train={table}", *small, "trainer.max_epochs=1") as config:
        model = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "cell": "gru", "hidden_size": 4}
        training = {key: config[key] for key in SECTIONS & set(config)}
        fit(
            {**training, "model": model, "baselines": False, "resume": None, "init_from": None},
            tmp_path / "run",
        )
    words = ("data=csv", f"data.corpus.train={table}", f"prediction={tmp_path / 'run'}", "repeats=2")
    with composed(*words) as config:
        found = measure(config, Settings.of(config), "cpu")
        texts = sample(config, 1000)
    assert found["texts"] == len(texts) > 0
    rates = found["characters_per_second"]
    ratios = [
        one / other for one, other in zip(rates["windows"]["values"], rates["alone"]["values"], strict=True)
    ]
    assert found["times_as_fast"]["values"] == ratios
    assert len(ratios) == 2
    (shown,) = tables.tables_of({"prediction": found, "config": config})
    assert shown.row_count == 2


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with composed("data=csv", f"data.corpus.train={tmp_path}/a.csv", f"prediction={tmp_path}") as config:
        settings = Settings.of(config)
    with pytest.raises(RunError):
        measure(config, settings, "cpu")

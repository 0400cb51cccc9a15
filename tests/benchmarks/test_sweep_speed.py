"""Several jobs at once against one after the other, measured on trainings of a moment."""

from pathlib import Path

import pytest

from rnnlab.benchmarks import sweep_speed, tables
from rnnlab.benchmarks.settings import Settings
from rnnlab.errors import ConfigError, RunError
from tests.benchmarks.test_settings import GOOD
from tests.training.conftest import write_reviews

SMALL = "model.hidden_size=4 model.backend=torch trainer.max_epochs=1 data.vocabulary.min_frequency=1"


def settings_of(words: str) -> Settings:
    return Settings.of({**GOOD, "repeats": 1, "jobs": words})


def test_each_time_a_sweep_starts_in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(sweep_speed, "output_of", lambda command, what: commands.append(command))
    found = sweep_speed.measure(Settings.of({**GOOD, "repeats": 3, "jobs": "model=gru seed=1,2"}))
    assert len({command[-1] for command in commands}) == len(commands) == 7
    assert all(command[3:6] == ["-m", "model=gru", "seed=1,2"] for command in commands)
    launchers = [command[6].removeprefix("hydra/launcher=") for command in commands]
    assert launchers[1:] == ["joblib", "basic", "basic", "joblib", "joblib", "basic"]
    assert [len(taken["values"]) for taken in found["seconds"].values()] == [3, 3]
    assert found["sweep"] == "model=gru seed=1,2"


def test_a_quotation_without_an_end() -> None:
    with pytest.raises(ConfigError, match="No closing quotation"):
        sweep_speed.measure(settings_of("model=gru 'seed=1,2"))


@pytest.mark.slow
def test_a_sweep_is_run_both_ways(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    table = write_reviews(tmp_path / "reviews.csv", count=60)
    words = f"data=csv data.corpus.train={table} trainer=cpu seed=1,2 {SMALL}"
    found = sweep_speed.measure(settings_of(words))
    (joblib,), (basic,) = (found["seconds"][way]["values"] for way in ("joblib", "basic"))
    assert found["times_as_fast"]["median"] == basic / joblib
    (table_shown,) = tables.tables_of({"sweep": found})
    assert table_shown.row_count == 2


@pytest.mark.slow
def test_a_sweep_that_fails_ends_the_benchmark_with_its_words() -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    with pytest.raises(RunError, match=r"nowhere\.csv"):
        sweep_speed.measure(settings_of("data=csv data.corpus.train=nowhere.csv seed=1,2 model=gru"))

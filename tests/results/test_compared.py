"""The table of runs as a notebook gets it, and the figure beside it."""

from pathlib import Path

import pytest

from rnnlab.errors import ConfigError, RunError
from rnnlab.results.found_runs import found_under
from rnnlab.results.plot import figure_of_runs
from rnnlab.results.report import compared
from tests.results.run_makers import config, finished


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for seed, accuracy in ((1, 0.80), (2, 0.82), (3, 0.84)):
        finished(tmp_path / f"gru{seed}", config("gru", seed), accuracy)
    for seed, accuracy in ((1, 0.70), (2, 0.72)):
        finished(tmp_path / f"rnn{seed}", config("rnn", seed), accuracy)
    return tmp_path


def test_it_shows_itself_in_markdown_and_its_rows_can_be_used(logs: Path) -> None:
    table = compared([logs], sort="-test/accuracy", metrics="accuracy")
    lines = repr(table).splitlines()
    assert lines[0].startswith("| cell | validation/accuracy | test/accuracy | seeds |")
    assert "0.8200 ± 0.0200" in lines[2]
    assert table._repr_markdown_() == repr(table)
    first = table.rows[0].metrics["test/accuracy"]
    assert (first.mean, first.count) == (pytest.approx(0.82), 3)


def test_conditions_groups_and_single_runs(logs: Path) -> None:
    assert len(compared([logs], where=["cell=rnn"], each=True).rows) == 2
    assert len(compared([str(logs)], group="cell").rows) == 2
    with pytest.raises(ConfigError, match="Choose one"):
        compared([logs], group="cell", each=True)
    with pytest.raises(ConfigError, match="None of the 5 runs"):
        compared([logs], where=["cell=lstm"])
    with pytest.raises(RunError, match="There is no folder"):
        compared([logs / "nowhere"])


def test_the_figure_has_a_point_for_each_row(logs: Path) -> None:
    (panel,) = figure_of_runs(found_under([logs]).runs, x="cell", metric="accuracy").axes
    ((line, *_),) = panel.containers
    assert list(line.get_ydata()) == [pytest.approx(0.82), pytest.approx(0.71)]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["gru", "rnn"]

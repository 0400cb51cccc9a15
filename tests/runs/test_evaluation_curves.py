"""An evaluation leaves its curves, as figures and as the points they were drawn from."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnnlab.errors import ConfigError
from rnnlab.figures.documents import ScoredDocuments
from rnnlab.tasks.sentiment.recorded_documents import FIGURES, points_of, write_curves
from tests.runs.conftest import Finished

Command = Callable[..., int]


def scored(
    probabilities: list[float], labels: list[int], classes: tuple[str, ...] = ("bad", "good")
) -> ScoredDocuments:
    positive = np.array(probabilities, np.float32)
    count = len(labels)
    return ScoredDocuments(
        documents=np.arange(count),
        probabilities=np.stack([1 - positive, positive], axis=1),
        labels=np.array(labels),
        lengths=np.full(count, 3),
        classes=classes,
    )


def test_points_are_those_of_the_answers() -> None:
    found = points_of(scored([0.9, 0.8, 0.3, float("nan")], [1, 0, 1, 0]))
    assert (found["documents"], found["without_a_number"]) == (3, 1)
    assert found["roc"]["good"]["false_positive_rate"] == [0, 0, 1, 1]
    assert found["roc"]["good"]["true_positive_rate"] == [0, 0.5, 0.5, 1]
    assert found["roc"]["good"]["area"] == pytest.approx(0.5)
    assert found["precision_recall"]["good"]["area"] == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert found["reliability"]["accuracy"] == [0, 0, 1]
    assert found["reliability"]["expected_calibration_error"] == pytest.approx((0.7 + 0.8 + 0.1) / 3)


def test_what_is_not_defined_is_null(tmp_path: Path) -> None:
    write_curves({"run": scored([0.9, 0.8], [1, 1])}, tmp_path)
    found = json.loads((tmp_path / "curves.json").read_text(), parse_constant=pytest.fail)
    assert found["run"]["roc"]["good"]["area"] is None


def test_runs_of_different_classes_share_no_figure(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Evaluate them apart"):
        write_curves({"a": scored([0.9], [1]), "b": scored([0.9], [1], ("good", "bad"))}, tmp_path)
    assert list(tmp_path.glob("*.png")) == []


@pytest.mark.parametrize("name", ["sentiment", "three_classes"])
def test_the_command_writes_them_into_the_run(
    name: str, request: pytest.FixtureRequest, command: Command
) -> None:
    run: Finished = request.getfixturevalue(name)
    assert command("evaluate", f"run={run.folder}") == 0
    folder = run.folder / "evaluation_csv_test_curves"
    for figure in FIGURES:
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / f"{figure}.svg").read_bytes()
    (found,) = json.loads((folder / "curves.json").read_text()).values()
    areas = [curve["area"] for curve in found["roc"].values()]
    assert np.mean(areas) == pytest.approx(run.metrics["test"]["auroc"], abs=1e-5)
    assert command("evaluate", f"run={run.folder}") == 0


def test_several_runs_share_the_figures_and_nothing_is_overwritten(
    sentiment: Finished,
    language: Finished,
    command: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = [f"run={sentiment.folder}", f"run={sentiment.folder / 'checkpoints'}/*.ckpt"]
    assert command("evaluate", *runs, f"output={tmp_path / 'a.json'}") == 0
    curves = json.loads((tmp_path / "a_curves" / "curves.json").read_text())
    assert len(curves) >= 3
    (tmp_path / "a.json").unlink()
    assert command("evaluate", *runs, f"output={tmp_path / 'a.json'}") == 2
    assert "a_curves exists" in capsys.readouterr().err
    assert command("evaluate", f"run={language.folder}", f"output={tmp_path / 'b.json'}") == 0
    assert not (tmp_path / "b_curves").exists()

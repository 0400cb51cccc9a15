"""Figures that can be read at any width."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from rnnlab import terminal
from rnnlab.runs import evaluation_report
from rnnlab.training import report
from rnnlab.training.run_folder import RunFolder

STARS = ("one star", "two stars", "three stars", "four stars", "[red]five stars")
OVER_ALL = {"accuracy": 0.28125, "auroc": 0.51339, "f1": 0.26543, "loss": 1.60944}
OF_CLASSES = {
    f"{metric}/{label}": 0.12345 + number / 10
    for metric in ("f1", "accuracy")
    for number, label in enumerate(STARS)
}
TEST = OVER_ALL | OF_CLASSES

# All of a task that the table asks for.
ASKED: Any = SimpleNamespace(questions=lambda path: [], shown_apart=lambda metrics: ((), ()))


@pytest.fixture
def at_width(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    """Let tables go to a page of some width."""

    def set_width(width: int) -> io.StringIO:
        page = io.StringIO()
        narrow = Console(file=page, width=width, soft_wrap=True, highlight=False)
        for module in (terminal, report, evaluation_report):
            monkeypatch.setattr(module, "console", narrow)
        monkeypatch.setattr(terminal, "wide", lambda width=10_000: Console(file=page, width=width))
        return page

    return set_width


def metrics_of(labels: tuple[str, ...], test: dict[str, float]) -> dict[str, Any]:
    return {
        "test": test,
        "baselines": {"majority class": {"accuracy": 0.21875}, "bag of bigrams": {"accuracy": 0.3125}},
        "labels": list(labels),
        "tokens_per_second": None,
    }


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 300])
def test_no_number_is_cut_at_the_end_of_a_training(
    width: int, at_width: Callable[[int], io.StringIO], tmp_path: Path
) -> None:
    page = at_width(width)
    (tmp_path / "config.yaml").write_text("task: {name: sentiment}\ntrainer: {max_epochs: 3}\n")
    report.final_table(ASKED, metrics_of(STARS, TEST), RunFolder(tmp_path), 1.0)
    written = page.getvalue()
    assert "…" not in written
    for value in (*TEST.values(), 0.21875, 0.3125):
        assert f"{value:.4f}" in written
    if width >= 80:
        row = next(line for line in written.splitlines() if "three stars" in line)
        assert re.findall(r"\d\.\d{4}", row) == ["0.3235", "0.3235"]
        assert max(len(line) for line in written.splitlines() if "─" in line or "│" in line) <= width
        assert "[red]five stars" in written


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("count", [1, 3])
def test_no_number_is_cut_in_an_evaluation(
    count: int, width: int, at_width: Callable[[int], io.StringIO]
) -> None:
    page = at_width(width)
    runs = [
        {
            **{"run": f"logs/a rather long name of a folder/seed={seed}", "seed": seed, "data": "csv"},
            **{"split": "test", "documents": 64, "out_of_vocabulary": 0.5, "limit": 1.0},
            **{"labels": list(STARS), "metrics": {name: value + seed / 100 for name, value in TEST.items()}},
        }
        for seed in range(count)
    ]
    summary = evaluation_report.summary(runs)
    evaluation_report.show(summary)
    written = page.getvalue()
    assert "…" not in written
    assert all(f"{mean:.4f}" in written for mean in summary["mean"].values())
    assert written.count("±") == (0 if count == 1 else 1 + len(OF_CLASSES))
    if width >= 80:
        assert max(len(line) for line in written.splitlines() if "─" in line or "│" in line) <= width


def test_f1_says_of_which_class_it_is(at_width: Callable[[int], io.StringIO], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("task: {name: sentiment}\ntrainer: {max_epochs: 3}\n")
    page = at_width(80)
    report.final_table(ASKED, metrics_of(("ham", "spam"), OVER_ALL), RunFolder(tmp_path), 1.0)
    assert "f1 of spam" in page.getvalue()
    page = at_width(80)
    report.final_table(ASKED, metrics_of(STARS, TEST), RunFolder(tmp_path), 1.0)
    assert "mean f1" in page.getvalue()


def test_the_spread_of_what_is_no_number_is_none() -> None:
    nan = float("nan")
    runs = [{"metrics": {"auroc": value, "loss": 0.5}} for value in (nan, 0.5)]
    found = evaluation_report.summary(runs)
    assert str(found["spread"]) == str({"auroc": nan, "loss": 0.0})

"""How far long work is, where output is a file."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnlab.training import progress as progress_lines
from rnnlab.training.fit import fit
from rnnlab.training.progress import EVERY, ProgressLines


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_line_is_due_every_few_minutes_and_counts_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    lines = ProgressLines(clock)
    lines.begin("Epoch 1/3", 1000)
    with caplog.at_level(logging.INFO):
        for done in range(1, 1001):
            clock.seconds += 2.0
            if lines.is_due(done):
                lines.write(done, "loss 1.000")
    assert len(caplog.messages) == 2000 // EVERY
    assert caplog.messages[0] == "Epoch 1/3: 150 of 1,000 batches, loss 1.000, 28:20 left"


def test_what_was_done_before_a_resume_is_not_counted_as_speed(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    lines = ProgressLines(clock)
    lines.begin("Epoch 1/3", 1000)
    assert not lines.is_due(900)
    clock.seconds += EVERY
    assert lines.is_due(910)
    with caplog.at_level(logging.INFO):
        lines.write(910)
    assert caplog.messages == ["Epoch 1/3: 910 of 1,000 batches, 45:00 left"]


def test_a_training_writes_them_into_its_log(
    compose: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(progress_lines, "EVERY", 0.0)
    with caplog.at_level(logging.INFO):
        fit(compose("trainer.max_epochs=1", "baselines=false"), tmp_path / "run")
    said = "\n".join(caplog.messages)
    assert re.search(r"Epoch 1/1: \d+ of \d+ batches, loss \d\.\d+, \S+ tokens/s, [\d.:]+( s)? left", said)
    assert re.search(r"Test: \d+ of \d+ batches, [\d.:]+( s)? left", said)


def test_an_epoch_without_validation_shows_none(
    compose: Callable[..., dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short = ["trainer.max_epochs=4", "+trainer.check_val_every_n_epoch=2", "baselines=false"]
    with caplog.at_level(logging.INFO):
        fit(compose(*short), tmp_path / "run")
    lines = [line for line in caplog.messages if line.startswith("Epoch ")]
    assert ["validation accuracy" in line for line in lines] == [False, True, False, True]


def test_encoding_writes_them_where_nobody_sees_a_bar(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress_lines, "EVERY_OF_ENCODING", 0.0)
    with caplog.at_level(logging.INFO), progress_lines.encoding_progress() as report:
        for done in (500, 1000, 1500):
            report("Reading train", done, None)
        report("Counting", 1, 4)
        report("Counting", 2, 4)
    first, second, counted = caplog.messages
    assert re.fullmatch(r"Reading train: 1,000 documents, [\d.]+[kM]? documents/s", first)
    assert second.startswith("Reading train: 1,500 documents, ")
    assert re.fullmatch(r"Counting: 2 of 4 documents, [\d.]+[kM]? documents/s, [\d.:]+( s)? left", counted)

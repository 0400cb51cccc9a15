"""``debug=lr_find``: a rate is suggested at which the loss falls."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnlab.training.lr_find import suggestion
from tests.runs.conftest import command as command  # the fixture


def test_it_suggests_a_rate_and_draws_the_curve(
    command: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["task=memory", "data=first_token", "data.distance=3", "model.hidden_size=8", "trainer=cpu"]
    assert command("train", *words, "model.backend=torch", "logger=none", "debug=lr_find") == 0
    told = capsys.readouterr().out
    found = re.search(r"it suggests optimizer\.lr=(\S+)", told)
    assert found
    assert 1e-5 < float(found[1]) < 1
    (figure,) = tmp_path.rglob("learning_rate.png")
    assert figure.parent.name == "figures"


def test_of_a_loss_that_never_falls_nothing_is_suggested() -> None:
    assert suggestion([1e-3, 1e-2], [1.0, 2.0]) is None
    assert suggestion([], []) is None
    assert suggestion([1e-3, 1e-2, 1e-1], [2.0, 1.0, float("nan")]) == 1e-3

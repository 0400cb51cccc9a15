"""Two processes score each token once between them, and resume with the state of all columns."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.data.streams import StreamLoader, TokenStream
from tests.language.streams import MEMORYLESS, language_model, scores, text

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def run(*words: Any) -> None:
    command = [sys.executable, str(ROOT / "tests" / "language" / "two_processes.py"), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_scores_are_those_of_one_process(tmp_path: Path) -> None:
    run("score", tmp_path)
    found = torch.load(tmp_path / "scores.pt", weights_only=True)
    torch.manual_seed(1)
    model = language_model(model=MEMORYLESS, head="adaptive", cutoffs=[4])
    expected = scores(model, StreamLoader(TokenStream(text(1001), first_input=1, batch_size=5), 13))
    assert {name.removeprefix("validation/"): value for name, value in found.items()} == pytest.approx(
        expected
    )
    assert expected["tokens"] == 1001


def test_resumed_training_ends_with_the_same_weights_on_both(tmp_path: Path) -> None:
    run("fit", tmp_path, "whole", -1)
    run("fit", tmp_path, "stopped", 20)
    last = tmp_path / "stopped" / "last.ckpt"
    (hidden,) = torch.load(last, weights_only=True)["carried_state"]
    assert hidden.shape == (1, 6, 8)
    run("fit", tmp_path, "resumed", -1, last)
    for rank in range(2):
        whole, resumed = (
            torch.load(tmp_path / f"{name}_{rank}.pt", weights_only=True) for name in ("whole", "resumed")
        )
        assert all(torch.equal(value, resumed[name]) for name, value in whole.items())

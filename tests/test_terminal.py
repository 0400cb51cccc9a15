"""What a training shows: bars and colour on a terminal, plain lines in a file, no colour unless wanted."""

import io
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from rnnlab.terminal import TerminalHandler, console
from rnnlab.training.processes import quieten
from tests.runs.conftest import command as command  # the fixture
from tests.training.conftest import write_reviews

TRAIN = Path(__file__).resolve().parents[1] / "scripts" / "train.py"
COLOUR = re.compile(r"\x1b\[[\d;]*\b([34]\d|9[0-7])[\d;]*m")
QUICK = ["data=csv", "data.corpus.train=reviews.csv", "data.vocabulary.min_frequency=1", "trainer=cpu"]
QUICK += ["model.backend=torch", "model.hidden_size=8", "debug=fast_dev_run", "logger=none"]


class Terminal(io.StringIO):
    """Keeps what a terminal would be told."""

    def isatty(self) -> bool:
        return True


def shown_in_a_terminal(*words: str, **environment: str) -> str:
    """Give a command on a pseudo-terminal and return what it is told."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    running = subprocess.Popen(
        [sys.executable, str(TRAIN), *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    told = b""
    try:
        while piece := os.read(ours, 1 << 12):
            told += piece
    except OSError:  # so Linux tells that the other side is closed
        pass
    os.close(ours)
    assert running.wait() == 2
    return told.decode()


@pytest.mark.parametrize("setting", ["", "1"])
def test_no_colour_where_none_is_wanted(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = shown_in_a_terminal("modle=gru", **({"NO_COLOR": setting} if setting else {}))
    assert "Did you mean model" in told
    assert bool(COLOUR.search(told)) == (not setting)


def test_a_file_gets_plain_lines(
    command: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "reviews.csv")
    assert command("train", *QUICK, "logger=tensorboard") == 0
    told = capsys.readouterr()
    begun = re.search(r"^Run folder (\S+); watch it: tensorboard --logdir (\S+)$", told.out, re.MULTILINE)
    assert begun
    assert Path(begun[1]).parents[1] == Path(begun[2])  # so that a run's name there has its model's
    assert begun.start() < told.out.index("Epoch 1/1")
    assert f"Next:\n  tensorboard --logdir {begun[2]}\n" in told.out
    assert not re.search(r"[\x1b\r\b]", told.out + told.err)
    assert "Epoch 1/1: train loss" in told.out


def test_a_terminal_gets_a_bar_and_in_the_end_where_things_are(
    command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "is_interactive", True)
    write_reviews(tmp_path / "reviews.csv")
    with redirect_stdout(Terminal()) as terminal:
        assert command("train", *QUICK) == 0
    told = terminal.getvalue()
    assert "Epoch 1/1  " in told
    assert "Validation ━━━" in told
    assert "\x1b[1A\x1b[2K" in told  # taken away, line by line
    places = dict(re.findall(r"^(Run folder|Best checkpoint|Metrics) +(\S+)\s*$", told, re.MULTILINE))
    assert len(places) == 3
    assert all((tmp_path / place).exists() for place in places.values())
    assert "tensorboard" not in told  # logger=none
    run = places["Run folder"]
    assert re.findall(rf"^  (\w+) .*run={run}|^  (\w+) .*resume={run}", told, re.MULTILINE)


@pytest.mark.parametrize("rank", [0, 1])
def test_of_several_processes_the_first_speaks(
    rank: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    log = logging.getLogger()
    log.addHandler(TerminalHandler())
    log.setLevel(logging.INFO)
    quieten()
    log.info("all is well")
    log.warning("all is not well")
    told = capsys.readouterr().out
    assert ("all is well" in told) == (rank == 0)
    assert "all is not well" in told

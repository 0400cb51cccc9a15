import sys

import pytest

from rnnlab.benchmarks.unseen_terminal import unseen_terminal
from rnnlab.terminal import console


def test_what_is_drawn_is_not_seen_but_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with unseen_terminal():
        assert console.is_terminal
        console.print("nobody reads this")
    console.print("but this")
    assert capsys.readouterr().out == "but this\n"


def test_the_terminal_comes_back_after_an_error() -> None:
    before = sys.stdout
    with pytest.raises(RuntimeError, match="on purpose"), unseen_terminal():
        raise RuntimeError("on purpose")
    assert sys.stdout is before

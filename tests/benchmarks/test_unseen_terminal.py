import sys

import pytest
from rich.progress import Progress

from rnnlab.benchmarks.child_process import _Unseen, unseen_terminal
from rnnlab.terminal import console


def test_what_is_drawn_is_not_seen_but_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with unseen_terminal():
        assert console.is_terminal
        console.print("nobody reads this")
    console.print("but this")
    assert capsys.readouterr().out == "but this\n"


def test_the_terminal_comes_back_after_an_error() -> None:
    before = sys.stdout, console.is_interactive
    with pytest.raises(RuntimeError, match="on purpose"), unseen_terminal():
        raise RuntimeError("on purpose")
    assert (sys.stdout, console.is_interactive) == before


def test_a_bar_moves_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(_Unseen, "write", lambda self, text: drawn.append(text) or len(text))
    with unseen_terminal(), Progress(console=console, auto_refresh=False) as bar:
        task = bar.add_task("Epoch", total=2)
        bar.update(task, completed=1)
        bar.refresh()
    assert "50%" in "".join(drawn)

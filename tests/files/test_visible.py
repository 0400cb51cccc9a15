"""Texts of others on the terminal, in logs, tables, figures and pages: nothing in them steers or hides."""

import io
import json
import logging
import sys
import xml.etree.ElementTree as Tree
from pathlib import Path

import pytest
from rich.table import Table

from rnnlab.figures.drawing import HouseFigure, save
from rnnlab.figures.explanation import Explanation
from rnnlab.figures.markdown import code, escaped
from rnnlab.figures.projector import cell
from rnnlab.terminal import Terminal, TerminalHandler, VisibleFormatter, console, open_outlets
from rnnlab.visible import visible, visible_json

HOSTILE = "a\x1b]0;title\x07b\x9b31m\x7fc\u202ed\u2066e\ud800f\u2028g\ufeffh\u200bi"
SPELT = r"a\x1b]0;title\x07b\x9b31m\x7fc\u202ed\u2066e\ud800f\u2028g\ufeffh\u200bi"


def is_harmless(text: str) -> bool:
    return not any(sign in text for sign in set(HOSTILE) - set("abcdefghi]0;31mtle"))


def test_what_cant_be_seen_is_spelt() -> None:
    assert visible(HOSTILE) == SPELT
    assert visible("a\tb\nc\r") == r"a\tb\nc\r"
    assert visible("a\tb\nc\r", lines=True) == "a\tb\nc\\r"


WRITTEN = ["naïve café", "नमस्ते", "می\u200cخواهم", "👩\u200d💻", "中文", "x − y ± 1"]  # noqa: RUF001


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_stays(text: str) -> None:
    assert visible(text) == text


def test_json_says_the_same_and_hides_nothing() -> None:
    line = json.dumps({"text": HOSTILE + "👩"}, ensure_ascii=False)
    assert is_harmless(visible_json(line))
    assert json.loads(visible_json(line)) == {"text": HOSTILE + "👩"}


def printed(*things: object, **settings: object) -> str:
    file = io.StringIO()
    Terminal(file=file, width=200, force_terminal=False).print(*things, **settings)  # type: ignore[arg-type]
    return file.getvalue()


def test_the_terminal_shows_text_as_it_is_and_controls_spelt() -> None:
    assert printed(HOSTILE) == SPELT + "\n"
    assert printed("[red]a[/] :smile: [/b]", style="red") == "[red]a[/] :smile: [/b]\n"
    table = Table(title=f"{HOSTILE} [/]")
    table.add_column(f"{HOSTILE} [/]")
    table.add_row(f"{HOSTILE} [/]")
    told = printed(table)
    assert told.count(SPELT) == 3
    assert is_harmless(told)


def test_log_lines_are_spelt(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("a", logging.WARNING, "", 1, f"{HOSTILE} [/b]\nnext", None, None)
    TerminalHandler().emit(record)
    assert capsys.readouterr().out == f"{SPELT} [/b]\nnext\n"
    assert VisibleFormatter("%(message)s").format(record) == f"{SPELT} [/b]\nnext"


def test_what_the_terminals_encoding_lacks_is_spelt(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    open_outlets()
    console.print("ä \ud800 中")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\xe4 \\ud800 \\u4e2d\n"  # type: ignore[attr-defined]


def test_cells_pages_and_markdown_are_spelt(tmp_path: Path) -> None:
    assert is_harmless(cell(HOSTILE))
    assert is_harmless(escaped(HOSTILE))
    assert is_harmless(code(HOSTILE))
    words = (HOSTILE, "<b>", "good")
    Explanation(HOSTILE, "m", words, (0.1, 0.2, 0.3), "logit", 0.6).save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert is_harmless(page)
    assert SPELT in page


def test_drawings_are_well_formed_whatever_the_labels(tmp_path: Path) -> None:
    figure = HouseFigure()
    panel = figure.add_subplot(title=f"{HOSTILE} $\\nonsense{{$ --")
    panel.set_xticks([0, 1], [HOSTILE, "$x"])
    panel.plot([0, 1], label=f"$ {HOSTILE}")
    panel.legend()
    save(figure, tmp_path, "odd")
    Tree.parse(tmp_path / "odd.svg")
    assert is_harmless((tmp_path / "odd.svg").read_text(encoding="utf-8"))

"""Figures of a language model, of words and of curves."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from rnnlab.figures.coloured_words import (
    LETTER,
    LETTERS,
    Letter,
    Line,
    coloured_words_figure,
    placed,
    write_lines,
)
from rnnlab.figures.drawing import HouseFigure, rendered
from rnnlab.figures.explanation import Explanation, excerpt, save_pages
from rnnlab.figures.learning_curves import Series, learning_curve_figure
from rnnlab.figures.tokens import ScoredTokens, perplexities_by_frequency, perplexity_by_frequency_figure
from tests.figures.test_documents import drawn_texts


def tokens() -> ScoredTokens:
    return ScoredTokens(
        frequencies=np.array([0, 1, 9, 10, 5000]),
        counts=np.array([2, 1, 1, 4, 8]),
        nats=np.array([20.0, 8.0, 10.0, 16.0, 8.0]),
    )


def lines_of(figure: Figure) -> list[Line2D]:
    return [line for axes in figure.axes for line in axes.lines]


def test_perplexity_by_frequency_by_hand() -> None:
    found = perplexities_by_frequency(tokens())
    assert found.decades.tolist() == [0, 1, 2, 4]
    assert found.perplexities == pytest.approx(np.exp([10.0, 9.0, 4.0, 1.0]))
    assert found.shares.tolist() == [2 / 16, 2 / 16, 4 / 16, 8 / 16]


def test_the_parts_make_the_whole_perplexity() -> None:
    found, whole = perplexities_by_frequency(tokens()), tokens()
    mean = float((np.log(found.perplexities) * found.shares).sum())
    assert mean == pytest.approx(whole.nats.sum() / whole.counts.sum())


def test_a_perplexity_that_is_no_number_is_a_gap_and_reported() -> None:
    broken = tokens()
    broken.nats[3] = np.nan
    figure = perplexity_by_frequency_figure({"validation": tokens(), "test": broken})
    assert "left out, their perplexity is not a number: 1" in drawn_texts(figure)
    assert "12.5%" in drawn_texts(figure)


def test_values_that_are_no_numbers_are_gaps() -> None:
    values = np.array([1.0, np.nan, np.inf, 0.5])
    curve = Series(np.arange(4.0), values)
    assert curve.gaps == 2
    figure = learning_curve_figure("loss", {"gru": {"train": curve}})
    (line,) = lines_of(figure)
    assert np.isfinite(np.asarray(line.get_ydata(), dtype=float)).tolist() == [True, False, False, True]
    assert "gaps: values that are not numbers (2)" in drawn_texts(figure)


def test_a_curve_of_nothing_but_nan_is_drawn() -> None:
    curve = Series(np.arange(3.0), np.full(3, np.nan))
    assert "(3)" in drawn_texts(learning_curve_figure("loss", {"gru": {"train": curve}}))


def test_several_runs_have_a_colour_each_and_a_line_style_for_each_split() -> None:
    curve = Series(np.arange(3.0), np.ones(3))
    runs = {name: {"train": curve, "validation": curve} for name in ("one", "two")}
    lines = lines_of(learning_curve_figure("loss", runs))
    assert len({line.get_color() for line in lines}) == 2
    assert [line.get_linestyle() for line in lines] == ["--", "-"] * 2
    assert lines[0].get_label() == "one, train"


def explanation(words: tuple[str, ...], values: tuple[float, ...], title: str = "a title") -> Explanation:
    return Explanation(
        title=title, method="by hand", words=words, values=values, unit="logit", total=sum(values)
    )


def test_an_excerpt_holds_the_strongest_words() -> None:
    words = tuple(f"word{number}" for number in range(200))
    values = tuple(5.0 if number in (150, 151) else 0.01 for number in range(200))
    part = excerpt(explanation(words, values), 60)
    assert {"word150", "word151"} <= set(part.words)
    assert part.words[0] == part.words[-1] == "…"
    assert sum(len(word) + 1 for word in part.words) <= 60 + 4
    assert len(part.words) == len(part.strengths)


def test_a_short_text_is_shown_whole() -> None:
    part = excerpt(explanation(("a", "b"), (1.0, -0.5)), 60)
    assert part.words == ("a", "b")
    assert part.strengths == (1.0, -0.5)


def test_words_break_at_the_lines_end_and_never_overlap() -> None:
    words = tuple("x" * (1 + number % 50) for number in range(300))
    block = placed(excerpt(explanation(words, (1.0,) * 300), 10_000), " ")
    by_line: dict[int, list[tuple[int, int]]] = {}
    for word, line, at, _ in block.words:
        assert at == 0 or at + len(word) <= LETTERS
        by_line.setdefault(line, []).append((at, at + len(word)))
    for spans in by_line.values():
        assert all(end < start for (_, end), (start, _) in pairwise(spans))


def test_texts_with_odd_letters_are_drawn(recwarn: pytest.WarningsRecorder) -> None:
    words = ("$x^2$", "tab\there", "new\nline", "映画", "😀", "<unk>", "_a_", "\\frac")
    figure = coloured_words_figure("Odd & <odd>", "meaning", [explanation(words, (1.0, -1.0) * 4)])
    assert rendered(figure).png[:4] == b"\x89PNG"
    assert not [one for one in recwarn if "Glyph" in str(one.message)]


def test_letters_stand_on_the_colours_of_their_words() -> None:
    shown = explanation(("good", "ill", "a\u200bb"), (1.0, -0.5, 0.0))
    figure = coloured_words_figure("title", "meaning", [shown])
    letters = [one for one in figure.axes[0].lines if isinstance(one, Letter)]
    (ground,) = figure.axes[0].collections
    squares = [path.get_extents() for path in ground.get_paths()]
    assert len(squares) == 2
    for word, square in zip(("good", "ill"), squares, strict=True):
        found = sorted(
            (x, one.letter)
            for one in letters
            for x, y in one.get_xydata().tolist()
            if square.y0 < y < square.y1 and square.x0 - 1e-9 <= x < square.x1 - 1e-9
        )
        assert "".join(letter for _, letter in found) == word
        assert [x for x, _ in found] == pytest.approx([square.x0 + n * LETTER for n in range(len(word))])


def test_letters_are_where_and_as_large_as_matplotlibs_own() -> None:
    text = "gimp, (Quick)|_"
    edges, ink = [], []
    for own in (False, True):
        figure = HouseFigure(figsize=(2, 0.5), dpi=480)
        panel = figure.add_axes((0, 0, 1, 1))
        panel.set(xlim=(0, 2), ylim=(0, 0.5))
        panel.axis("off")
        if own:
            write_lines(panel, [Line(text, 0.2, 0.2)], "black")
        else:
            panel.text(0.2, 0.2, text, family="DejaVu Sans Mono", fontsize=9, color="black")
        png = Image.open(io.BytesIO(rendered(figure).png)).convert("L")
        drawn = 1 - np.asarray(png) / 255
        rows, columns = np.nonzero(drawn > 0.5)
        edges.append([rows.min(), rows.max(), columns.min(), columns.max()])
        ink.append(drawn.mean())
    assert np.abs(np.subtract(*edges)).max() <= 3
    assert ink[1] == pytest.approx(ink[0], rel=0.05)


def test_no_texts_at_all_are_said_to_be_none(tmp_path: Path) -> None:
    assert "There are none." in drawn_texts(coloured_words_figure("Wrong", "meaning", []))
    save_pages("Wrong", "meaning", [], tmp_path / "page.html")
    assert "There are none." in (tmp_path / "page.html").read_text()


def test_a_page_shows_texts_to_the_letter(tmp_path: Path) -> None:
    save_pages(
        "A & B", "for <all>", [explanation(("<unk>", "a&b"), (1.0, -0.5), "1 < 2")], tmp_path / "p.html"
    )
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "&lt;unk&gt;" in page
    assert "a&amp;b" in page
    assert "<h2>1 &lt; 2</h2>" in page
    assert "<unk>" not in page

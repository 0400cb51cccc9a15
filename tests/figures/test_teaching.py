"""Figures that teach: they show what the arrays say, and a notebook shows them."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from rnnlab.data.bucketing import padding_share
from rnnlab.data.streams import StreamLoader, TokenStream
from rnnlab.figures.drawing import COLOURS, PIXELS, colours_of_cells, new_figure
from rnnlab.figures.gradient_flow import gradient_by_distance_figure
from rnnlab.figures.padding import padded_batch_figure, padded_share, padding_figure
from rnnlab.figures.tokens import next_token_figure
from rnnlab.figures.truncated_bptt import CUT, Window, truncated_bptt_figure
from tests.figures.test_documents import drawn_texts

LETTERS = ["<unk>", "<eos>", *"abcdefghijk"]


def windows() -> list[Window]:
    stream = TokenStream(np.arange(2, 13, dtype=np.int32), first_input=1, batch_size=2)
    batches = StreamLoader(stream, bptt=4)
    return [Window.of(batch.inputs, batch.targets, batch.valid, LETTERS) for batch in batches]


def test_windows_hold_what_is_read_and_what_is_to_be_predicted() -> None:
    first, second = windows()
    assert first.targets == [list("abcd"), list("ghij")]
    assert first.inputs[0] == ["<eos>", "a", "b", "c"]
    assert first.inputs[1][0] == "f"
    assert second.targets == [["e", "f"], ["k", None]]


def test_truncated_bptt_shows_each_token_in_the_text_and_in_its_column() -> None:
    figure = truncated_bptt_figure("A title", windows())
    texts = drawn_texts(figure).splitlines()
    (panel,) = figure.axes
    for letter in "abcdefghij":  # in the text, as a target, as the next one's input
        assert texts.count(letter) == 3
    assert texts.count("k") == 2
    assert {"A title", "column 0", "column 1", "window 0", "window 1"} <= set(texts)
    cuts = [line for line in panel.lines if line.get_color() == CUT]
    assert len(cuts) == 2  # the border of the two windows, and what it means
    grounds = [patch.get_facecolor()[:3] for patch in panel.patches if hasattr(patch, "get_xy")]
    assert len(grounds) == 22


def test_a_padded_batch_shows_words_ids_and_lengths() -> None:
    tokens = np.array([[2, 3, 4], [5, 0, 0]])
    figure = padded_batch_figure("batch", tokens, [3, 1], LETTERS)
    texts = [text.get_text() for text in figure.axes[0].texts]
    for word in "abcd":
        assert texts.count(word) == 1
    assert "<unk>" not in texts  # padding is no token
    assert {"length 3", "length 1"} <= set(texts)
    assert texts.count("0") == 2  # the padded places
    assert "batch" in drawn_texts(figure)


def test_padding_is_the_bucketing_s_own_share() -> None:
    lengths = np.array([9, 1, 4, 4, 7])
    numbers = [np.array([0, 1]), np.array([2, 3, 4])]
    batches = [lengths[part] for part in numbers]
    assert padded_share(batches) == pytest.approx(padding_share(numbers, lengths))
    figure = padding_figure({"at random": batches, "sorted": [np.sort(lengths)]})
    assert f"at random: {padded_share(batches):.1%} padding" in drawn_texts(figure)
    assert len(figure.axes) == 2


def test_the_next_token_s_others_get_what_is_left() -> None:
    figure = next_token_figure("so $far", ["$a", "b"], {"warm": [0.5, 0.2], "cold": [0.9, 0.1]})
    texts = drawn_texts(figure).splitlines()
    assert {"so $far", "$a", "b", "all others", "warm", "cold"} <= set(texts)
    assert {"50.0%", "20.0%", "30.0%", "90.0%", "10.0%", "0.0%"} <= set(texts)


def test_gradients_by_distance_are_drawn_as_they_are_with_each_cell_s_colour() -> None:
    fading, gone = [0.5**step for step in range(20)], [1.0, 0.0, np.nan]
    figure = gradient_by_distance_figure("fading", {"rnn": fading, "gru": gone})
    (panel,) = figure.axes
    first, second, _ = panel.lines
    assert list(first.get_ydata()) == pytest.approx(fading)
    assert first.get_color() == colours_of_cells()["rnn"]
    assert 0 < second.get_ydata()[1] < 1e-12
    assert np.isnan(second.get_ydata()[2])
    assert drawn_texts(gradient_by_distance_figure("named", {"w = 1": fading, "w = 2": fading}))


def test_a_notebook_shows_a_figure_at_its_size_in_inches() -> None:
    figure = new_figure(2.0, 1.0)
    figure.add_subplot().plot([1, 2], color=COLOURS[0])
    png, size = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert size == {"width": 2 * PIXELS, "height": PIXELS}
    assert isinstance(figure, Figure)

"""Figures on disk and in TensorBoard."""

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from rnnlab.figures.drawing import (
    COLOURS,
    colour,
    colours_of,
    colours_of_cells,
    house_style,
    new_panel,
    publish,
    rendered,
    save,
)

pytestmark = pytest.mark.drawn


@house_style()
def line() -> Figure:
    figure, panel = new_panel("A line", "time (s)", "value")
    panel.plot([0, 1, 2], [1.0, float("nan"), 3.0], label="one")
    panel.legend()
    return figure


def test_a_figure_is_saved_as_png_and_svg(tmp_path: Path) -> None:
    save(line(), tmp_path / "figures", "line")
    files = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert files == ["line.png", "line.svg"]
    assert imread(tmp_path / "figures" / "line.png").shape == (600, 800, 4)
    assert "<svg" in (tmp_path / "figures" / "line.svg").read_text(encoding="utf-8")


def test_the_same_figure_has_the_same_bytes() -> None:
    assert rendered(line()) == rendered(line())


def test_the_drawing_has_the_bitmaps_layout() -> None:
    """The SVG is drawn second, with the places that the PNG worked out."""
    figure = line()
    rendered(figure)
    places = figure.axes[0].get_position().bounds
    rendered(figure)
    assert figure.axes[0].get_position().bounds == places
    assert places[0] > 0.08, "the labels found no room"


def test_tensorboard_shows_the_file_on_disk(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "events")) as writer:  # type: ignore[no-untyped-call]
        publish(line(), tmp_path, "line", writer, step=7)
    events = EventAccumulator(str(tmp_path / "events")).Reload()
    (image,) = events.Images("figures/line")
    assert image.step == 7
    assert (image.width, image.height) == (800, 600)
    assert image.encoded_image_string == (tmp_path / "line.png").read_bytes()
    assert imread(io.BytesIO(image.encoded_image_string)).std() > 0


def test_without_tensorboard_the_files_are_written(tmp_path: Path) -> None:
    publish(line(), tmp_path, "line", None, step=0)
    assert (tmp_path / "line.png").is_file()


def test_nothing_global_is_left_changed() -> None:
    before: dict[str, Any] = dict(matplotlib.rcParams)
    rendered(line())
    assert dict(matplotlib.rcParams) == before


def test_colours_are_far_enough_from_white() -> None:
    """Contrast of at least 2 to 1 with the paper (WCAG 2 relative luminance), 3 to 1 for the first three."""

    def contrast(code: str) -> float:
        parts = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05))

    assert all(contrast(code) > 2 for code in COLOURS)
    assert all(contrast(colour(number)) > 3 for number in range(3))


def test_a_cell_has_one_colour_whatever_its_run_is_called() -> None:
    cells = colours_of_cells()
    assert colours_of(["gru seed=1", "lstm seed=1"]) == {
        "gru seed=1": cells["gru"],
        "lstm seed=1": cells["lstm"],
    }
    names = ["rnn seed=1", "rnn seed=2", "mingru/2026", "layernorm_lstm", "bag of bigrams", "lstm, train"]
    found = colours_of(names)
    assert len(set(found.values())) == len(names)
    assert found["mingru/2026"] == cells["mingru"]
    assert list(found) == names

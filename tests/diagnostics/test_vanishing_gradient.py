"""The figure of a sweep over distances, out of its finished runs."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from rnnlab.diagnostics.record import Curve, LayerRecord, Record, add_record
from rnnlab.errors import RunError
from rnnlab.figures.gradient_flow import Remembered, vanishing_gradient_figure
from rnnlab.runs.draw_when_swept import DrawWhenSwept
from rnnlab.runs.vanishing_gradient import draw_vanishing_gradient, network_name

pytestmark = pytest.mark.drawn


def write_run(
    folder: Path, cell: str, distance: int, accuracy: float, data: str = "adding", **model: Any
) -> None:
    """Write what a finished run leaves behind, as far as the figure reads it."""
    config = {
        "task": {"name": "memory"},
        "data": {"name": data, "distance": distance},
        "model": {"cell": cell, **model},
        "trainer": {"gradient_clip_val": None},
    }
    metrics = {"test": {"accuracy": accuracy}, "baselines": {"always the mean": {"accuracy": 0.08}}}
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    for epoch, fade in ((0, 0.5), (1, 0.9)):
        shares = [fade**step for step in range(distance)]
        layer = LayerRecord(Curve(shares, shares), None, {}, {}, {})
        add_record(folder, Record(epoch, 10 * epoch, {"layer1": layer}))


def lines_of(runs: list[Remembered]) -> tuple[dict[str, tuple[list[float], list[float]]], list[Any]]:
    left, right = vanishing_gradient_figure("adding", runs, 0.08).axes
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in left.lines
    }, list(right.lines)


def test_it_shows_each_network_at_each_distance_and_its_gradients_at_the_farthest() -> None:
    half, slow = [0.5**k for k in range(100)], [0.99**k for k in range(100)]
    runs = [
        Remembered("rnn", 10, 0.9, half[:10], half[:10]),
        Remembered("rnn", 100, 0.1, half, half),
        Remembered("gru", 10, 1.0, half[:10], slow[:10]),
        Remembered("gru", 100, 0.8, half, slow),
        Remembered("gru", 100, 1.0, half, slow),
        Remembered("gru", 200, 0.5, half, slow),
    ]
    left, right = lines_of(runs)
    assert left["rnn"] == ([10, 100], [0.9, 0.1])
    assert left["gru"] == ([10, 100, 200], [1.0, pytest.approx(0.9), 0.5])
    curves = [line for line in right if len(line.get_xdata()) == 100]
    assert [line.get_linestyle() for line in curves] == [":", "-", ":", "-"]
    assert list(curves[3].get_ydata()) == pytest.approx(slow)
    assert curves[0].get_color() != curves[2].get_color()


def test_runs_without_diagnostics_are_shown_by_their_accuracy_alone() -> None:
    left, right = lines_of([Remembered("lstm", 10, 0.9, [], []), Remembered("lstm", 20, 0.7, [], [])])
    assert left["lstm"] == ([10, 20], [0.9, 0.7])
    assert len(right) == 1  # the line at a hundredth


def test_it_is_drawn_from_the_finished_runs_of_a_folder(tmp_path: Path) -> None:
    write_run(tmp_path / "sweep" / "a", "rnn", 10, 0.9)
    write_run(tmp_path / "sweep" / "b", "lstm", 10, 0.95, forget_bias=1.0)
    (tmp_path / "sweep" / "unfinished").mkdir()
    (tmp_path / "sweep" / "unfinished" / "config.yaml").write_text("task: {name: memory}", encoding="utf-8")
    drawn = draw_vanishing_gradient([tmp_path / "sweep"], tmp_path / "figures")
    assert drawn.read_bytes().startswith(b"\x89PNG")
    svg = drawn.with_suffix(".svg").read_text(encoding="utf-8")
    assert "<svg" in svg

    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path / "sweep")}}})
    DrawWhenSwept().on_multirun_end(config)
    assert (tmp_path / "sweep" / "figures" / "vanishing_gradient.png").is_file()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"cell": "lstm", "peepholes": True, "coupled": True}, "lstm, peepholes, coupled"),
        ({"cell": "qrnn", "window": 2, "zoneout": 0.0}, "qrnn, window 2"),
        ({"cell": "mogrifier", "inner": "gru", "rounds": 5, "rank": None}, "mogrifier, gru"),
        (
            {"cell": "lru", "r_min": 0.9, "max_phase": 6.283185307179586, "gated": True},
            "lru, r_min 0.9, gated",
        ),
        (
            {"cell": "mingru", "residual": True, "norm": "layer", "layers": 2},
            "mingru, residual, norm layer, layers 2",
        ),
        ({"cell": "no_such_module.Mine", "leak": 0.5}, "no_such_module.Mine"),  # it is not imported
    ],
)
def test_variants_of_a_cell_are_told_apart(model: dict[str, Any], name: str) -> None:
    assert network_name({"model": model, "trainer": {}}) == name


def test_a_folder_without_such_runs_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished run of task=memory under"):
        draw_vanishing_gradient([tmp_path], tmp_path)
    write_run(tmp_path / "a", "rnn", 10, 0.9)
    write_run(tmp_path / "b", "rnn", 10, 0.9, data="copy")
    with pytest.raises(RunError, match="several problems, adding and copy"):
        draw_vanishing_gradient([tmp_path], tmp_path)


def test_a_gradient_of_no_size_is_drawn_at_the_floor_and_nan_as_a_gap() -> None:
    curve = [1.0, 0.0, math.nan, 0.5]
    _, right = lines_of([Remembered("rnn", 4, 0.9, curve, curve)])
    found = [line for line in right if len(line.get_xdata()) == 4]
    assert len(found) == 2
    assert math.isnan(found[0].get_ydata()[2])
    assert 0 < found[0].get_ydata()[1] < 1e-12

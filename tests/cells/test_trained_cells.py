"""Cells that PyTorch lacks, and stacks with norms and residuals, trained, gone on and asked."""

from pathlib import Path
from typing import Any

import pytest

import rnnlab
from rnnlab.diagnostics.record import read_records
from rnnlab.errors import ConfigError
from rnnlab.runs.exports import export as exporting
from rnnlab.runs.vanishing_gradient import figure_of_memory
from rnnlab.tasks.language_model.answers import TrainedLanguageModel
from rnnlab.training.fit import fit
from rnnlab.training.resume import resumed_config
from rnnlab.training.run_folder import RunFolder
from tests.runs.conftest import composed_of
from tests.training.same_end import assert_same_end
from tests.training.stopping import stopped_at

pytestmark = pytest.mark.drawn

SMALL = ["trainer=cpu", "trainer.max_epochs=2", "baselines=false", "logger=none", "optimizer.lr=0.01"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    text = tmp_path_factory.mktemp("text") / "roses.txt"
    text.write_text("\n".join(["the rose is red .", "the violet is blue .", ""] * 40), encoding="utf-8")
    words = ["task=language_model", "data=text", f"data.corpus.train={text}", "task.embedding_size=4"]
    stack = ["model=slstm", "model.heads=2", "model.hidden_size=4", "model.layers=2", "model.dropout=0.1"]
    around = ["model.norm=rms", "model.residual=true", "batches.batch_size=4", "batches.bptt=9"]
    return composed_of([*words, *stack, *around, *SMALL])


@pytest.fixture(scope="module")
def writer(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("writer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNLAB_CACHE_DIR", str(room / "cache"))
        fit(config, room / "run")
    return room / "run"


def test_a_state_of_four_goes_on_as_if_it_had_not_been_stopped(
    writer: Path, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stopped_at(4, monkeypatch):
        fit(config, tmp_path / "stopped")
    folder = RunFolder(tmp_path / "stopped")
    fit(resumed_config(config, folder, []), folder.path)
    assert_same_end(folder.path, writer)


STOPPED: list[tuple[str, dict[str, Any]]] = [
    ("mingru", {}),
    ("minlstm", {"norm": "none", "residual": False}),
    ("qrnn", {"window": 2, "zoneout": 0.3}),
    ("sru", {}),
    ("lru", {"gated": True}),
    ("mogrifier", {}),
]


@pytest.mark.parametrize(("cell", "options"), STOPPED, ids=[cell for cell, _ in STOPPED])
def test_a_stopped_training_ends_as_one_that_was_not(
    cell: str,
    options: dict[str, Any],
    config: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack = {key: value for key, value in config["model"].items() if key not in ("heads", "initialization")}
    short = {**config["trainer"], "max_epochs": 1, "limit_train_batches": 5}
    config = {**config, "model": {**stack, "cell": cell, **options}, "trainer": short}
    fit(config, tmp_path / "whole")
    with stopped_at(3, monkeypatch):
        fit(config, tmp_path / "stopped")
    folder = RunFolder(tmp_path / "stopped")
    fit(resumed_config(config, folder, []), folder.path)
    assert_same_end(folder.path, tmp_path / "whole")
    if options.get("norm") == "none":  # nothing but the cell is what an export can't have
        for form in ("onnx", "int8", "torchscript"):
            with pytest.raises(ConfigError, match=f"format={form}: the {cell} cell can't be written so"):
                exporting.export(str(folder.path), form, str(tmp_path / "model"), split=None, trust=None)


def test_it_writes_a_token_at_a_time(writer: Path) -> None:
    model = rnnlab.load(writer)
    assert isinstance(model, TrainedLanguageModel)
    (text,) = model.generate("the rose", max_tokens=8, seed=3)
    assert text.startswith("the rose")


@pytest.mark.parametrize("form", ["onnx", "torchscript"])
def test_what_an_export_would_lose_is_said(form: str, writer: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="what stands between the layers"):
        exporting.export(str(writer), form, str(tmp_path / "model"), split=None, trust=None)
    assert not list(tmp_path.iterdir())


def test_the_gradient_figure_draws_it(tmp_path: Path) -> None:
    sizes = ["data.distance=4", "batches.train=64", "batches.validation=32", "batches.test=32"]
    words = ["task=memory", *sizes, "model=lem", "model.hidden_size=4", "callbacks=diagnostics"]
    fit(composed_of([*words, *SMALL, "trainer.max_epochs=1"]), tmp_path / "run")
    records = read_records(tmp_path / "run")
    assert set(records[-1].layers["layer1"].gates) == {"memory_pace", "hidden_pace"}
    figure = figure_of_memory([tmp_path])
    shown = " ".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))
    assert "lem" in shown


def test_a_language_model_that_reads_both_ways_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Set model\.bidirectional=false"):
        fit({**config, "model": {**config["model"], "bidirectional": True}}, tmp_path / "run")

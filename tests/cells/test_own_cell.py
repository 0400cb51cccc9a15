"""A cell of one's own is one file with one class, and everything works with it or says why not."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rnnlab
from rnnlab.cells.cell import Cell, State, Step, Weights
from rnnlab.diagnostics.record import read_records
from rnnlab.encoder.dry_pass import check_step
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.encoder.trace import traced
from rnnlab.errors import ConfigError, RunError
from rnnlab.runs.exports import export as exporting
from rnnlab.tasks.language_model.answers import TrainedLanguageModel
from rnnlab.training.fit import fit
from rnnlab.training.init_from import read_source, starting_of
from rnnlab.training.resume import resumed_config
from rnnlab.training.run_folder import RunFolder
from tests.runs.conftest import Finished, composed_of
from tests.training.conftest import write_reviews
from tests.training.same_end import assert_same_end
from tests.training.stopping import stopped_at

MINIMAL_GRU = """
import torch

from rnnlab.cells.cell import Cell, Step


class MinimalGRU(Cell):  # its gate and its candidate see the inputs alone (Feng et al. 2024)
    blocks = ("update", "candidate")
    is_elementwise = True
    remembering_gate = "update"

    def step(self, given, states, weights):  # given: weight_ih x + bias_ih
        (hidden,), (update, candidate) = states, given.chunk(2, dim=1)
        update = torch.sigmoid(update)
        return Step((update * hidden + (1 - update) * candidate,), {"update": update})
"""
CELL = "minimal_gru.MinimalGRU"


class Bare(Cell):
    """A step without a Step."""

    def step(self, given: Tensor, states: State, weights: Weights) -> Any:
        return torch.tanh(given + states[0] @ weights["weight_hh"].T)


class NoTuple(Bare):
    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        return Step(super().step(given, states, weights))


class Narrow(Bare):
    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        return Step((super().step(given, states, weights)[:, :3],))


class OtherOutput(Bare):
    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        return Step((super().step(given, states, weights),), reading=lambda state: state[:, :2])


class NoSuchGate(Bare):
    remembering_gate = "forget"


class OneName(Bare):
    blocks = "hidden"  # type: ignore[assignment]


class Chancy(Cell):
    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        return Step((torch.rand_like(states[0]),))


SMALL = [
    *("task.embedding_size=4", "model.hidden_size=6", "trainer=cpu", "baselines=false", "logger=none"),
    *("optimizer.lr=0.01", "trainer.max_epochs=2", f"model.cell={CELL}"),
]
LENGTHS = torch.tensor([7, 3, 1, 6])


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "minimal_gru.py").write_text(MINIMAL_GRU, encoding="utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("minimal_gru", None)


@pytest.fixture(scope="module")
def config(module: Path) -> dict[str, Any]:
    reviews = write_reviews(module / "reviews.csv", count=120)
    words = ["data=csv", "data.vocabulary.min_frequency=1", f"data.corpus.train={reviews}", "model=gru"]
    return composed_of([*words, *SMALL, "model.bidirectional=true", "callbacks=diagnostics"])


@pytest.fixture(scope="module")
def classifier(module: Path, config: dict[str, Any]) -> Finished:
    return finished(module, "classifier", config)


@pytest.fixture(scope="module")
def writer(module: Path) -> Finished:
    text = module / "roses.txt"
    text.write_text("\n".join(["the rose is red .", "the violet is blue .", ""] * 40), encoding="utf-8")
    words = ["task=language_model", "data=text", f"data.corpus.train={text}", "batches.batch_size=4"]
    return finished(module, "writer", composed_of([*words, "batches.bptt=9", "model=awd_lstm", *SMALL]))


def finished(room: Path, name: str, config: dict[str, Any]) -> Finished:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNLAB_CACHE_DIR", str(room / "cache"))
        return Finished(room / name, Path(config["data"]["corpus"]["train"]), fit(config, room / name))


def test_padding_and_batch_mates_change_nothing() -> None:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(5, CELL, 6, layers=2, bidirectional=True).double()
    inputs = torch.randn(4, 9, 5, dtype=torch.float64)
    for row, length in enumerate(LENGTHS.tolist()):
        inputs[row, length:] = torch.nan
    inputs.requires_grad_()
    outputs, state = encoder(inputs, LENGTHS)
    assert outputs.shape == (4, 9, 12)
    (slope,) = torch.autograd.grad(outputs.square().sum(), inputs)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = inputs[row : row + 1, :length].detach().requires_grad_()
        expected, end = encoder(alone)
        torch.testing.assert_close(outputs[row : row + 1, :length], expected)
        torch.testing.assert_close(state[0][:, row], end[0][:, 0])
        assert not outputs[row, length:].any()
        torch.testing.assert_close(
            slope[row, :length], torch.autograd.grad(expected.square().sum(), alone)[0][0]
        )
        assert not slope[row, length:].any()


def test_it_reads_on_from_its_state_a_token_at_a_time() -> None:
    encoder = RecurrentEncoder(5, CELL, 6, layers=2)
    inputs = torch.randn(3, 4, 5)
    whole, end = encoder(inputs)
    state, outputs = encoder.initial_state(3), []
    for token in inputs.split(1, dim=1):
        output, state = encoder(token, None, state)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole)
    torch.testing.assert_close(state, end)


def test_every_kind_of_dropout_drops() -> None:
    torch.manual_seed(2)
    inputs = torch.randn(2, 8, 5)
    plain = RecurrentEncoder(5, CELL, 6, layers=2, dropout=0.5)
    for encoder in (plain, RegularisedEncoder(5, CELL, 6, 2, dropout=0.0, weight_dropout=0.5)):
        assert not torch.equal(encoder(inputs)[0], encoder(inputs)[0])
        encoder(inputs)[0].sum().backward()
        assert all(weight.grad is not None and weight.grad.any() for weight in encoder.parameters())
        assert torch.equal(encoder.eval()(inputs)[0], encoder(inputs)[0])


def test_it_starts_as_it_is_told() -> None:
    encoder = RecurrentEncoder(5, CELL, 6, bidirectional=True, forget_bias=3.0)
    names = ["weight_ih_l0", "bias_ih_l0", "weight_ih_l0_reverse", "bias_ih_l0_reverse"]
    assert list(encoder.network.state_dict()) == names
    bias = encoder.network.get_parameter("bias_ih_l0_reverse")
    assert torch.equal(bias[:6], torch.full((6,), 3.0))
    for options, message in (
        ({"initialization": "orthogonal"}, "the MinimalGRU cell has no recurrent matrix"),
        ({"initialization": "identity"}, "the MinimalGRU has gates"),
        ({"backend": "fused"}, "the MinimalGRU cell has no fused scan. Use model.backend=auto"),
    ):
        with pytest.raises(ConfigError, match=message):
            RecurrentEncoder(5, CELL, 6, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Bare", r"step returned a tensor \(2, 6\); expected a Step"),
        ("NoTuple", r"states are a tensor \(2, 6\); expected a tuple of 1: hidden \(2, 6\)"),
        ("Narrow", r"a tuple of 1: a tensor \(2, 3\); expected a tuple of 1: hidden \(2, 6\)"),
        ("OtherOutput", r"output is a tensor \(2, 2\); expected \(2, 6\)"),
        ("NoSuchGate", "remembering_gate is 'forget'; expected one of its blocks: hidden"),
        ("OneName", r"blocks is 'hidden'; expected a tuple of names.*\(\"hidden\",\)"),
    ],
)
def test_what_breaks_the_contract_is_told_before_a_training(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"model.cell: {name}.*{message}"):
        RecurrentEncoder(5, f"{__name__}.{name}", 6, forget_bias=1.0 if name == "NoSuchGate" else None)


def test_the_dry_step_draws_no_random_number() -> None:
    torch.manual_seed(3)
    encoder = RecurrentEncoder(5, f"{__name__}.Chancy", 6)
    after = torch.get_rng_state()
    check_step(encoder.cell, encoder.stack()[0][0].weights, 5, 6)
    assert torch.equal(torch.get_rng_state(), after)


def test_diagnostics_see_its_states_and_gate() -> None:
    encoder = RecurrentEncoder(5, CELL, 6, bidirectional=True)
    inputs = torch.randn(4, 7, 5)
    trace = traced(encoder, inputs, LENGTHS)
    torch.testing.assert_close(trace.outputs.float(), encoder(inputs, LENGTHS)[0])
    for layer in trace.layers:
        assert list(layer.gates) == ["update"]
        assert layer.memory is None
        assert layer.recurrent == {}


def test_a_classifier_trains_is_watched_and_answers(classifier: Finished, tmp_path: Path) -> None:
    records = read_records(classifier.folder)
    assert [record.epoch for record in records] == [0, 1, 2]
    assert set(records[-1].layers["layer1/backward"].gates) == {"update"}
    with pytest.raises(RunError, match=r"names minimal_gru\.MinimalGRU \(model\).*trust=minimal_gru"):
        rnnlab.load(classifier.folder)
    model = rnnlab.load(classifier.folder, trust=["minimal_gru"])
    assert model.predict(["a lovely film", "dull and cold"])[0] in ("good", "bad")


def test_it_goes_on_as_if_it_had_not_been_stopped(
    classifier: Finished, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stopped_at(4, monkeypatch):
        fit(config, tmp_path / "stopped")
    folder = RunFolder(tmp_path / "stopped")
    fit(resumed_config(config, folder, []), folder.path)
    assert_same_end(folder.path, classifier.folder)


def test_a_language_model_with_dropped_weights_writes(writer: Finished) -> None:
    model = rnnlab.load(writer.folder, trust=["minimal_gru"])
    assert isinstance(model, TrainedLanguageModel)
    (text,) = model.generate("the rose", max_tokens=8, seed=3)
    assert text.startswith("the rose")
    assert json.loads((writer.folder / "metrics.json").read_text())["test"]["perplexity"] > 1


def test_a_training_that_starts_from_it_names_it_first(writer: Finished, config: dict[str, Any]) -> None:
    starting = starting_of(config)
    run = read_source(writer.folder, starting)
    plain = {**config, "model": {**config["model"], "cell": "gru"}}
    with pytest.raises(RunError, match=r"names minimal_gru\.MinimalGRU \(model\)"):
        starting.adopted(plain, run, ())
    assert starting.adopted(config, run, ())["model"]["cell"] == CELL


@pytest.mark.parametrize("form", ["onnx", "int8", "torchscript"])
def test_what_has_no_operator_is_said(
    form: str, classifier: Finished, writer: Finished, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    for run in (classifier, writer):
        with pytest.raises(ConfigError, match="MinimalGRU cell can't be written so"):
            exporting.export(str(run.folder), form, str(tmp_path / "model"), split=None, trust="minimal_gru")
    assert not list(tmp_path.glob("model*"))


def test_its_weights_are_written_as_they_are(classifier: Finished, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    file = tmp_path / "model.safetensors"
    assert exporting.export(str(classifier.folder), "safetensors", str(file), trust="minimal_gru") == 0
    assert "encoder.network.weight_ih_l0_reverse" in safetensors.load_file(file)

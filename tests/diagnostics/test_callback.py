"""Diagnostics during a training: nothing changes, all is kept, what can't be looked into is told."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnnlab.data.streams import StreamLoader, TokenStream
from rnnlab.diagnostics.gradient_flow import effective_memory
from rnnlab.diagnostics.probe import measure
from rnnlab.diagnostics.record import read_records
from rnnlab.encoder.trace import EncoderTrace, LayerTrace, traced
from rnnlab.errors import ConfigError, RunError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.training.fit import fit
from rnnlab.training.resume import resumed_config
from rnnlab.training.run_folder import RunFolder
from tests.training.conftest import compose, reviews  # noqa: F401  fixtures
from tests.training.stopping import stopped_at

Compose = Callable[..., dict[str, Any]]
FAST = ["logger=none", "baselines=false", "optimizer.lr=0.01"]


class Leaky(nn.Module):
    """An encoder of one's own: the mean of the tokens so far, in which older ones fade by half."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size, self.is_bidirectional = input_size, False

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, self.output_size)

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        states = self.walked(inputs, lengths)
        return torch.stack(states, dim=1), states[-1]

    def walked(self, inputs: Tensor, lengths: Tensor | None) -> list[Tensor]:
        hidden, states = self.initial_state(len(inputs)), []
        for t in range(inputs.shape[1]):
            new = 0.5 * hidden + inputs[:, t]
            hidden = new if lengths is None else torch.where((t < lengths).unsqueeze(1), new, hidden)
            states.append(hidden)
        return states


class Shown(Leaky):
    """The same, which shows its states."""

    def trace(self, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
        states = self.walked(inputs, lengths)
        layer = LayerTrace("layer1", reads_backwards=False, hidden=states)
        return EncoderTrace(torch.stack(states, dim=1), [layer])


class CutOff(Leaky):
    """The same, whose states autograd can't find."""

    def trace(self, inputs: Tensor, lengths: Tensor | None = None) -> EncoderTrace:
        states = [state.detach() for state in self.walked(inputs, lengths)]
        return EncoderTrace(torch.stack(states, dim=1), [LayerTrace("layer1", False, states)])


def test_a_training_is_the_same_with_and_without(compose: Compose, tmp_path: Path) -> None:  # noqa: F811
    # Dropout draws random numbers in every step, so that a single one drawn elsewhere would show.
    lstm = ["model=lstm", "model.bidirectional=true", "model.layers=2", "model.dropout=0.3"]
    plain = fit(compose(*FAST, *lstm), tmp_path / "plain")
    watched = fit(compose(*FAST, *lstm, "callbacks=diagnostics"), tmp_path / "watched")
    for split in ("validation", "test"):
        assert plain[split] == watched[split]
    ours = read_checkpoint(RunFolder(tmp_path / "watched").last)
    theirs = read_checkpoint(RunFolder(tmp_path / "plain").last)
    assert all(torch.equal(ours["state_dict"][name], value) for name, value in theirs["state_dict"].items())
    states = [found["callbacks"]["RandomStates"]["torch"] for found in (ours, theirs)]
    assert torch.equal(*states)

    records = read_records(tmp_path / "watched")
    assert [record.epoch for record in records] == [0, 1, 2]
    assert [record.step for record in records] == [0, 12, 24]
    layers = [f"layer{i}/{way}" for i in (1, 2) for way in ("forward", "backward")]
    assert list(records[-1].layers) == layers
    for layer in records[-1].layers.values():
        assert layer.hidden.relative[0] == 1
        assert layer.memory is not None
        assert set(layer.gates) == {"input", "forget", "output"}
        assert all(0 < radius < 2 for radius in layer.spectral_radius.values())
    figures = tmp_path / "watched" / "figures"
    drawn = {str(file.relative_to(figures)) for file in figures.rglob("*.svg")}
    assert {"gradient_flow/layer2_backward.svg", "saturation/layer1_forward.svg"} <= drawn
    assert "gradient_flow/layer1_forward_memory_cell.svg" in drawn


def test_a_run_that_was_stopped_ends_with_the_same_record(
    compose: Compose,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = compose(*FAST, "model=gru", "callbacks=diagnostics")
    fit(config, tmp_path / "whole")
    with stopped_at(15, monkeypatch):
        fit(config, tmp_path / "stopped")
    assert [record.epoch for record in read_records(tmp_path / "stopped")] == [0, 1]
    folder = RunFolder(tmp_path / "stopped")
    fit(resumed_config(config, folder, []), folder.path)
    assert read_records(tmp_path / "stopped") == read_records(tmp_path / "whole")


def test_nothing_of_a_language_model_changes_and_distances_lie_in_the_window() -> None:
    torch.manual_seed(0)
    model = {
        "_target_": "rnnlab.encoder.regularised.RegularisedEncoder",
        "cell": "gru",
        "hidden_size": 6,
        "layers": 2,
    }
    task = LanguageModel(model=model, vocabulary_size=20, embedding_size=5, output_dropout=0.5)
    stream = TokenStream(np.arange(400, dtype=np.int32) % 20, first_input=1, batch_size=4, name="text")
    batch = next(iter(StreamLoader(stream, bptt=7)))
    task.train()
    task.encoder.eval()  # each module's flag must come back as it was
    before = {name: value.clone() for name, value in task.state_dict().items()}
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    measured = measure(task, batch)
    assert [found.flow.name for found in measured] == ["layer1", "layer2"]
    assert all(found.flow.hidden.norms.shape == (4, 7) for found in measured)
    assert all(bool((found.flow.hidden.norms > 0).all()) for found in measured)
    assert task.training
    assert not task.encoder.training
    assert all(parameter.grad is None for parameter in task.parameters())
    assert all(torch.equal(before[name], value) for name, value in task.state_dict().items())
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()
    assert states[2] == random.getstate()
    assert task.carried.of("train", like=task.embedding.weight) is None

    whole = measure(task, batch, sources="all")
    # With every place's loss the near states get more than what came through the recurrence.
    assert float(whole[1].flow.hidden.mean[3]) > float(measured[1].flow.hidden.mean[3])
    with torch.no_grad():
        vectors, _ = task.encoder_inputs(batch)
    trace = traced(task.encoder, vectors)
    outputs = trace.outputs.float()
    (expected,) = torch.autograd.grad(task.eval().loss_of_outputs(outputs, batch), trace.layers[1].hidden[2])
    torch.testing.assert_close(whole[1].flow.hidden.norms[:, 4].float(), expected.norm(dim=1).float())


def test_an_encoder_of_ones_own_is_measured_where_it_shows_its_states(
    compose: Compose,  # noqa: F811
    tmp_path: Path,
) -> None:
    config = compose(*FAST, "callbacks=diagnostics", "task.pooling=last")
    config["model"] = {"_target_": f"{__name__}.Shown"}
    fit(config, tmp_path / "run")
    for record in read_records(tmp_path / "run"):
        (layer,) = record.layers.values()
        assert layer.hidden.relative == pytest.approx(0.5 ** np.arange(len(layer.hidden.relative)), rel=1e-4)
        assert layer.hidden.effective_memory == pytest.approx(math.log(0.01) / math.log(0.5), rel=1e-3)


def test_one_that_does_not_is_told_what_it_lacks_before_a_run_begins(
    compose: Compose,  # noqa: F811
    tmp_path: Path,
) -> None:
    config = compose(*FAST, "callbacks=diagnostics")
    config["model"] = {"_target_": f"{__name__}.Leaky"}
    with pytest.raises(ConfigError, match=r"can't look into Leaky.*method trace\(inputs, lengths=None\)"):
        fit(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_states_that_autograd_cannot_find_are_told(compose: Compose, tmp_path: Path) -> None:  # noqa: F811
    config = compose(*FAST, "callbacks=diagnostics")
    config["model"] = {"_target_": f"{__name__}.CutOff"}
    with pytest.raises(ConfigError, match="hidden states in layer1 that are cut off from autograd"):
        fit(config, tmp_path / "run")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("callbacks.diagnostics.sequences=0", "sequences=0: expected a whole number from 1"),
        ("callbacks.diagnostics.sources=lsat", "sources=lsat is unknown. Did you mean last"),
        ("+callbacks.diagnostics.sequence=3", "sequence: Diagnostics has no such option"),
    ],
)
def test_options_out_of_range_are_told(option: str, told: str, compose: Compose, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(ConfigError, match=told):
        fit(compose(*FAST, "callbacks=diagnostics", option), tmp_path / "run")


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    assert read_records(tmp_path) == []
    (tmp_path / "diagnostics.json").write_text(json.dumps({"epochs": [{"epoch": 1}]}), encoding="utf-8")
    with pytest.raises(RunError, match=r"diagnostics\.json is damaged"):
        read_records(tmp_path)
    assert math.isnan(effective_memory([math.nan]))

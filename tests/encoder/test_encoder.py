"""The encoder's contract: parameters, states, dropout, configuration, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from rnnlab.encoder.encoder import Encoder, build_encoder
from rnnlab.encoder.pooling import build_pooling
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "conf" / "model"
PLAIN = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class RunningMean(nn.Module):
    """Ten lines that keep the contract: each output is the mean of the tokens so far."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.output_size, self.is_bidirectional = input_size, False

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, 2, self.output_size)

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        real = torch.ones_like(inputs)
        if lengths is not None:
            real = (
                (torch.arange(inputs.shape[1]) < lengths.unsqueeze(1)).unsqueeze(2).expand_as(inputs).float()
            )
        past = self.initial_state(len(inputs)) if state is None else state
        sums = (inputs * real).cumsum(1) + past[:, :1]
        counts = real.cumsum(1) + past[:, 1:]
        return sums / counts * real, torch.stack((sums[:, -1], counts[:, -1]), dim=1)


class NoState(RunningMean):
    def forward(self, inputs: Tensor, lengths: Any = None, state: Any = None) -> Any:
        return inputs


class OtherWidth(RunningMean):
    def forward(self, inputs: Tensor, lengths: Any = None, state: Any = None) -> Any:
        outputs, after = super().forward(inputs, lengths, state)
        return outputs[:, :, :4], after


class OtherState(RunningMean):
    def forward(self, inputs: Tensor, lengths: Any = None, state: Any = None) -> Any:
        outputs, after = super().forward(inputs, lengths, state)
        return outputs, (after, after)


class Stateless(RunningMean):
    def initial_state(self, batch: int) -> Any:
        return ()

    def forward(self, inputs: Tensor, lengths: Any = None, state: Any = None) -> Any:
        return torch.dropout(inputs, 0.5, train=True), ()


@pytest.mark.parametrize("cell", PLAIN)
def test_plain_parameters_come_and_go(cell: str) -> None:
    plain = PLAIN[cell](5, 7, num_layers=2, bidirectional=True, batch_first=True)
    encoder = RecurrentEncoder(5, cell, 7, 2, bidirectional=True)
    encoder.network.load_state_dict(plain.state_dict())
    taken = encoder.network.state_dict()
    assert list(taken) == list(plain.state_dict())
    assert all(torch.equal(taken[name], value) for name, value in plain.state_dict().items())
    inputs = torch.randn(3, 4, 5)
    torch.testing.assert_close(encoder(inputs)[0], plain(inputs)[0])
    PLAIN[cell](5, 7, num_layers=2, bidirectional=True).load_state_dict(encoder.network.state_dict())


@pytest.mark.parametrize("cell", PLAIN)
def test_sequences_of_one_length_may_be_told_or_not(cell: str) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(5, cell, 7, 2, bidirectional=True)
    inputs = torch.randn(3, 6, 5)
    untold, _ = encoder(inputs[:, :4])
    told, _ = encoder(inputs, torch.tensor([4, 4, 4], dtype=torch.int32))
    torch.testing.assert_close(told[:, :4], untold)
    assert told.shape == (3, 6, 14)
    assert (told[:, 4:] == 0).all()


@pytest.mark.parametrize("cell", PLAIN)
@pytest.mark.smoke
def test_a_carried_state_continues_the_sequence(cell: str) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(5, cell, 7, 2)
    inputs = torch.randn(3, 6, 5)
    whole, _ = encoder(inputs)
    first, state = encoder(inputs[:, :2], state=encoder.initial_state(3))
    second, _ = encoder(inputs[:, 2:], state=state)
    torch.testing.assert_close(torch.cat((first, second), dim=1), whole)


def test_dropout_lies_between_layers_in_training_alone() -> None:
    torch.manual_seed(0)
    inputs, lengths = torch.randn(3, 6, 5), torch.tensor([6, 2, 4])
    encoder = RecurrentEncoder(5, "gru", 8, layers=2, dropout=0.5)
    noisy, again = encoder(inputs, lengths)[0], encoder(inputs, lengths)[0]
    assert not torch.equal(noisy, again)
    torch.manual_seed(7)
    first, _ = encoder(inputs, lengths)
    torch.manual_seed(7)
    assert torch.equal(encoder(inputs, lengths)[0], first)
    encoder.eval()
    assert torch.equal(encoder(inputs, lengths)[0], encoder(inputs, lengths)[0])
    single = RecurrentEncoder(5, "gru", 8, layers=1, dropout=0.5)
    assert torch.equal(single(inputs, lengths)[0], single(inputs, lengths)[0])


@pytest.mark.parametrize("cell", PLAIN)
def test_it_answers_without_gradients_too(cell: str) -> None:
    encoder = RecurrentEncoder(5, cell, 8, layers=2, bidirectional=True)
    inputs, lengths = torch.randn(3, 6, 5), torch.tensor([6, 2, 4])
    expected, _ = encoder(inputs, lengths)
    with torch.inference_mode():
        found, _ = encoder(inputs, lengths)
    torch.testing.assert_close(found, expected)


@pytest.mark.smoke
def test_every_parameter_learns_from_ragged_batches() -> None:
    for cell in PLAIN:
        encoder = RecurrentEncoder(5, cell, 8, layers=3, bidirectional=True)
        encoder(torch.randn(3, 6, 5), torch.tensor([6, 2, 4]))[0].square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "lsmt"}, "lstm"),
        ({"cell": "rnn", "nonlinearity": "rleu"}, "relu"),
        ({"nonlinearity": "relu"}, "gru cell has no choice of it"),
        ({"hiden_size": 3}, r"model\.hiden_size: gru has no such option\. Did you mean hidden_size"),
        ({"cell": "tests.encoder.test_encoder.RunningMean"}, "is not a class derived from Cell"),
        ({"backend": "numba"}, "auto, fused, masked, packed, torch"),
        ({"hidden_size": 0}, r"model\.hidden_size is 0"),
        ({"layers": 1.5}, r"model\.layers is 1\.5"),
        ({"dropout": 1.0}, r"model\.dropout=1\.0"),
    ],
)
def test_an_impossible_encoder_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RecurrentEncoder(5, **arguments)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([2, 0, 1]), r"lengths\[1\] is 0; expected at least 1"),
        (torch.tensor([2, 1, 5]), r"lengths\[2\] is 5; expected at most 4"),
        (torch.tensor([2, 1]), r"lengths has shape \(2,\); expected \(3,\)"),
        (torch.tensor([[2, 1, 1]]), r"lengths has shape \(1, 3\); expected \(3,\)"),
        (torch.tensor([2.0, 1.0, 1.0]), r"lengths has type torch\.float32; expected integers"),
        (torch.ones(3, dtype=torch.int64, device="meta"), r"lengths is on meta and inputs on cpu; expected"),
    ],
)
def test_impossible_lengths_are_refused(lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecurrentEncoder(5, "gru", 8)(torch.randn(3, 4, 5), lengths)


@pytest.mark.parametrize(
    ("shape", "expected"), [((3, 4, 6), r"\(batch, time, 5\)"), ((3, 5), "batch"), ((3, 0, 5), "one step")]
)
def test_impossible_inputs_are_refused(shape: tuple[int, ...], expected: str) -> None:
    with pytest.raises(ValueError, match=rf"inputs has shape .*{expected}"):
        RecurrentEncoder(5, "gru", 8)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("cell", "state", "message"),
    [
        (
            "gru",
            (torch.zeros(2, 4, 8),),
            r"state\[0\] \(hidden\) has shape \(2, 4, 8\); expected \(2, 3, 8\)",
        ),
        ("gru", (torch.zeros(1, 3, 8),), r"has shape \(1, 3, 8\); expected \(2, 3, 8\)"),
        ("gru", (torch.zeros(2, 3, 8),) * 2, r"state is a tuple of 2; expected a tuple of 1: \(hidden\)"),
        ("gru", torch.zeros(2, 3, 8), "state is a Tensor; expected a tuple of 1"),
        ("gru", (torch.zeros(2, 3, 8).double(),), "is torch.float64 on cpu; expected torch.float32"),
        ("lstm", torch.zeros(2, 3, 8), r"state is a Tensor; expected a tuple of 2: \(hidden, memory\)"),
        (
            "lstm",
            (torch.zeros(2, 3, 8), torch.zeros(2, 3, 9)),
            r"state\[1\] \(memory\) has shape \(2, 3, 9\)",
        ),
        ("lstm", (torch.zeros(2, 3, 8), None), r"state\[1\] \(memory\) is a NoneType"),
    ],
)
def test_an_impossible_state_is_refused(cell: str, state: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecurrentEncoder(5, cell, 8, layers=2)(torch.randn(3, 4, 5), torch.tensor([4, 1, 2]), state)


def test_another_encoder_plugs_in_by_its_name() -> None:
    encoder = build_encoder({"_target_": f"{__name__}.RunningMean"}, input_size=5)
    assert isinstance(encoder, RunningMean)
    assert isinstance(encoder, Encoder)
    inputs = torch.randn(3, 6, 5)
    outputs, state = encoder(inputs, torch.tensor([6, 2, 4]))
    torch.testing.assert_close(outputs[1, 1], inputs[1, :2].mean(0))
    pooled = build_pooling("last", encoder)(outputs, torch.tensor([6, 2, 4]), state)
    torch.testing.assert_close(pooled[2], inputs[2, :4].mean(0))


def test_a_state_of_one_tensor_is_a_tuple_for_everybody_else() -> None:
    encoder = build_encoder({"_target_": f"{__name__}.RunningMean"}, input_size=5)
    inputs = torch.randn(3, 6, 5)
    whole, _ = encoder(inputs)
    _, state = encoder(inputs[:, :2])
    assert isinstance(state, tuple)
    for going_on in (encoder(inputs[:, 2:], None, state), encoder(inputs[:, 2:], state=state)):
        torch.testing.assert_close(going_on[0], whole[:, 2:])


def test_what_is_no_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"torch\.nn\.GRU is no encoder: it lacks output_size"):
        build_encoder({"_target_": "torch.nn.GRU", "hidden_size": 3}, input_size=5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoState", r"returned a tensor \(2, 1, 5\); expected two things: \(outputs, state\)"),
        ("OtherWidth", r"returned outputs that are a tensor \(2, 1, 4\).*expected \(2, 1, 5\)"),
        (
            "OtherState",
            r"returned a state that is a tuple of 2: .*; expected .* of initial_state: a tensor \(2, 2, 5\)",
        ),
    ],
)
def test_an_encoder_that_breaks_the_contract_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} {message}"):
        build_encoder({"_target_": f"{__name__}.{name}"}, input_size=5)


def test_the_first_look_at_an_encoder_changes_nothing() -> None:
    before = torch.get_rng_state()
    encoder = build_encoder({"_target_": f"{__name__}.Stateless"}, input_size=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(encoder, Stateless)
    assert encoder.training


@pytest.mark.parametrize("cell", PLAIN)
def test_the_configs_build_their_cell(cell: str) -> None:
    config = OmegaConf.to_container(OmegaConf.load(CONFIGS / f"{cell}.yaml"))
    assert isinstance(config, dict)
    encoder = build_encoder({str(key): value for key, value in config.items()}, input_size=5)
    assert isinstance(encoder, RecurrentEncoder)
    assert encoder.cell.name == cell
    gru = set(OmegaConf.load(CONFIGS / "gru.yaml"))
    own = {"rnn": {"nonlinearity"}, "lstm": {"peepholes", "coupled"}}
    assert set(config) - gru == own.get(cell, set())
    assert gru - set(config) == ({"forget_bias"} if cell == "rnn" else set())  # it has no gate

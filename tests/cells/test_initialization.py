"""How recurrent weights start, and what is refused."""

import pytest
import torch

from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.errors import ConfigError


@pytest.mark.parametrize(("cell", "blocks"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_every_recurrent_block_starts_orthogonal(cell: str, blocks: int) -> None:
    encoder = RecurrentEncoder(3, cell, 8, layers=2, bidirectional=True, initialization="orthogonal")
    matrices = [weights[1] for weights in encoder.network.all_weights]
    assert len(matrices) == 4
    for matrix in matrices:
        parts = matrix.split(8)
        assert len(parts) == blocks
        for part in parts:
            torch.testing.assert_close(part @ part.T, torch.eye(8), atol=1e-5, rtol=0)


def test_an_identity_network_only_adds_up_its_inputs_at_first() -> None:
    encoder = RecurrentEncoder(3, "rnn", 8, nonlinearity="relu", initialization="identity")
    inputs = torch.randn(2, 5, 3)
    first_weights = encoder.network.all_weights[0][0].detach()
    hidden = torch.zeros(2, 8)
    for t in range(5):
        hidden = torch.relu(hidden + inputs[:, t] @ first_weights.T)
    torch.testing.assert_close(encoder(inputs)[0][:, -1], hidden)
    assert 0 < float(first_weights.abs().max()) < 0.01


def test_a_forget_bias_opens_the_gate_that_keeps_the_state() -> None:
    lstm = RecurrentEncoder(3, "lstm", 8, layers=2, forget_bias=40.0)
    memory = torch.randn(2, 1, 8)
    _, (_, after) = lstm(1e-6 * torch.ones(1, 1, 3), state=(torch.zeros(2, 1, 8), memory))
    kept = after - memory  # what the input gate let in, at most 1 in size, and nothing lost
    _, (_, from_nothing) = lstm(1e-6 * torch.ones(1, 1, 3))
    torch.testing.assert_close(kept[0], from_nothing[0])

    gru = RecurrentEncoder(3, "gru", 8, layers=1, forget_bias=40.0)
    state = torch.randn(1, 1, 8)
    torch.testing.assert_close(gru(torch.ones(1, 4, 3), state=(state,))[1][0], state)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_plain_start_is_pytorchs_own(cell: str) -> None:
    torch.manual_seed(3)
    ours = RecurrentEncoder(3, cell, 8).network.state_dict()
    torch.manual_seed(3)
    plain = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](3, 8).state_dict()
    assert all(torch.equal(ours[name], value) for name, value in plain.items())


def test_the_layers_of_awd_start_so_too() -> None:
    encoder = RegularisedEncoder(3, "lstm", 8, layers=2, initialization="orthogonal", forget_bias=1.0)
    for layer in encoder.layers:
        _, weight_hh, bias_ih, bias_hh = layer.network.all_weights[0]
        torch.testing.assert_close(weight_hh[:8] @ weight_hh[:8].T, torch.eye(8), atol=1e-5, rtol=0)
        assert torch.equal((bias_ih + bias_hh)[8:16], torch.ones(8))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"initialization": "orthogonl"},
            "model.initialization=orthogonl is unknown. Did you mean orthogonal",
        ),
        ({"cell": "gru", "initialization": "identity"}, "is for the rnn cell"),
        ({"cell": "rnn", "forget_bias": 1.0}, "the rnn cell has no gate that forgets"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        RecurrentEncoder(3, **options)  # type: ignore[arg-type]

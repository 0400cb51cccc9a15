"""The regularised encoder is the plain one in evaluation, and keeps the encoder's contract."""

import pytest
import torch

from rnnlab.encoder.encoder import Encoder
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.errors import ConfigError


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_equals_the_plain_encoder_in_evaluation(cell: str) -> None:
    torch.manual_seed(1)
    encoder = RegularisedEncoder(5, cell, hidden_size=6, layers=3, dropout=0.3, weight_dropout=0.4).eval()
    plain = RecurrentEncoder(5, cell, hidden_size=6, layers=3).eval()
    plain.network.load_state_dict(
        {
            f"{name[:-1]}{number}": value
            for number, layer in enumerate(encoder.layers)
            for name, value in layer.network.state_dict().items()  # type: ignore[operator,union-attr]
        }
    )
    inputs, lengths = torch.randn(4, 7, 5), torch.tensor([7, 1, 4, 2])
    for given in (None, lengths):
        outputs, state = encoder(inputs, given)
        expected, expected_state = plain(inputs, given)
        torch.testing.assert_close(outputs, expected)
        for one, other in zip(state, expected_state, strict=True):
            torch.testing.assert_close(one, other.transpose(0, 1).reshape(1, 4, 18))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_reads_on_from_a_state(cell: str) -> None:
    torch.manual_seed(2)
    encoder = RegularisedEncoder(5, cell, hidden_size=6, layers=2, output_size=3).eval()
    assert isinstance(encoder, Encoder)
    inputs = torch.randn(2, 8, 5)
    whole, end = encoder(inputs)
    first, state = encoder(inputs[:, :3], None, encoder.initial_state(2))
    second, state = encoder(inputs[:, 3:], None, state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(state, end)
    assert whole.shape == (2, 8, encoder.output_size) == (2, 8, 3)


def test_drops_weights_and_outputs_in_training_only() -> None:
    torch.manual_seed(3)
    inputs = torch.randn(2, 8, 5)
    for dropout, weight_dropout in ((0.5, 0.0), (0.0, 0.5)):
        encoder = RegularisedEncoder(5, "lstm", 6, 2, dropout=dropout, weight_dropout=weight_dropout)
        assert not torch.equal(encoder(inputs)[0], encoder(inputs)[0])
        encoder.eval()
        assert torch.equal(encoder(inputs)[0], encoder(inputs)[0])


def test_every_parameter_learns() -> None:
    encoder = RegularisedEncoder(5, "gru", 6, 3, output_size=4, dropout=0.2, weight_dropout=0.2)
    encoder(torch.randn(3, 8, 5))[0].pow(2).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in encoder.parameters())


def test_bad_values_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.weight_dropout=1\.0"):
        RegularisedEncoder(5, weight_dropout=1.0)
    with pytest.raises(ConfigError, match=r"model\.layers is 0"):
        RegularisedEncoder(5, layers=0)
    with pytest.raises(ValueError, match=r"expected \(1, batch, 12\)"):
        RegularisedEncoder(5, "gru", 6, 2)(torch.zeros(1, 2, 5), None, (torch.zeros(1, 1, 6),))

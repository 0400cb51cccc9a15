"""How far gradients reach into an encoder by itself, against the product of the steps' factors."""

import pytest
import torch

from rnnlab.diagnostics.gradient_flow import reach
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.errors import ConfigError


def test_one_tanh_unit_by_hand() -> None:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(1, cell="rnn", hidden_size=1)
    inputs = torch.randn(1, 9, 1)
    with torch.no_grad():
        outputs, _ = encoder(inputs)
    weight = float(encoder.network.weight_hh_l0.detach())
    factors = [abs(weight * (1 - float(state) ** 2)) for state in outputs[0, :, 0].flip(0)]
    expected = [1.0]
    for factor in factors[:-1]:
        expected.append(expected[-1] * factor)
    (flow,) = reach(encoder, inputs)
    assert flow.hidden.relative.tolist() == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
def test_it_counts_from_each_sequence_s_own_end_and_takes_gradients_by_itself() -> None:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(3, cell="lstm", hidden_size=4, bidirectional=True)
    inputs, lengths = torch.randn(2, 7, 3), torch.tensor([7, 3])
    flows = reach(encoder, inputs, lengths)
    assert [flow.name for flow in flows] == ["layer1/forward", "layer1/backward"]
    for flow in flows:
        assert flow.hidden.norms[1, 3:].isnan().all()
        (short,) = [one for one in reach(encoder, inputs[1:, :3]) if one.name == flow.name]
        torch.testing.assert_close(flow.hidden.norms[1, :3], short.hidden.norms[0])
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_an_encoder_that_shows_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not show its hidden states"):
        reach(torch.nn.Identity(), torch.zeros(1, 2, 3))  # type: ignore[arg-type]

"""Gates that are stuck, tanh units at their limits, and the spectral radius."""

import math

import pytest
import torch

from rnnlab.diagnostics.saturation import saturation, spectral_radius
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.trace import LayerTrace, traced


def test_shares_are_counted_over_real_tokens_only() -> None:
    gate = torch.tensor([[[0.05, 0.5], [0.95, 0.91]], [[0.5, 0.02], [0.0, 0.0]]])
    tanh = torch.tensor([[[-0.95, 0.5], [0.2, 0.99]], [[0.1, 0.2], [1.0, 1.0]]])
    layer = LayerTrace("layer1", False, [], gates={"update": gate}, squashed={"candidate": tanh})
    gates, squashed = saturation(layer, torch.tensor([2, 1]))
    assert gates["update"]["shut"] == pytest.approx(2 / 6)
    assert gates["update"]["open"] == pytest.approx(2 / 6)
    assert gates["update"]["mean"] == pytest.approx((0.05 + 0.5 + 0.95 + 0.91 + 0.5 + 0.02) / 6)
    assert squashed["candidate"] == pytest.approx(2 / 6)
    gates, squashed = saturation(layer)
    assert gates["update"]["shut"] == pytest.approx(4 / 8)
    assert squashed["candidate"] == pytest.approx(4 / 8)


def test_gates_forced_open_and_shut_are_seen_so() -> None:
    encoder = RecurrentEncoder(3, "lstm", 5, forget_bias=50.0)
    encoder.network.bias_ih_l0.data[:5] = -50  # the input gate
    (layer,) = traced(encoder, torch.randn(2, 6, 3)).layers
    gates, squashed = saturation(layer)
    assert (gates["forget"]["open"], gates["forget"]["shut"]) == (1, 0)
    assert (gates["input"]["open"], gates["input"]["shut"]) == (0, 1)
    assert set(gates) == {"input", "forget", "output"}
    assert squashed["memory"] == 0
    gates, _ = saturation(traced(RecurrentEncoder(3, "gru", 5), torch.randn(2, 6, 3)).layers[0])
    assert set(gates) == {"reset", "update"}
    gates, squashed = saturation(traced(RecurrentEncoder(3, "rnn", 5), 1e3 * torch.randn(2, 6, 3)).layers[0])
    assert gates == {}
    assert squashed["hidden"] > 0.95


def test_the_spectral_radius_is_the_largest_eigenvalues_size() -> None:
    turn = 0.7 * torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # eigenvalues 0.7i and -0.7i
    assert spectral_radius(turn) == pytest.approx(0.7)
    assert spectral_radius(torch.tensor([[0.2, 9.0], [0.0, -0.5]])) == pytest.approx(0.5)
    assert spectral_radius(torch.nn.init.orthogonal_(torch.empty(9, 9))) == pytest.approx(1, rel=1e-6)
    assert math.isnan(spectral_radius(torch.tensor([[math.nan, 0.0], [0.0, 1.0]])))
    with pytest.raises(ValueError, match=r"matrix has shape \(2, 3\); expected \(hidden, hidden\)"):
        spectral_radius(torch.zeros(2, 3))

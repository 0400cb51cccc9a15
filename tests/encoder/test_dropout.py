"""Locked dropout drops a component at all steps; dropped weights leave the parameters alone."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from rnnlab.encoder.dropout import LockedDropout
from rnnlab.encoder.recurrent import RecurrentEncoder


def test_locked_dropout_drops_the_same_components_at_every_step() -> None:
    torch.manual_seed(1)
    dropped = LockedDropout(0.4)(torch.ones(50, 7, 100))
    assert (dropped == dropped[:, :1]).all()
    assert not (dropped[0] == dropped[1]).all(), "each sequence has its own mask"
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert dropped.mean() == pytest.approx(1, abs=0.03)


def test_locked_dropout_does_nothing_in_evaluation_or_at_zero() -> None:
    inputs = torch.randn(2, 3, 4)
    assert LockedDropout(0.5).eval()(inputs) is inputs
    assert LockedDropout(0.0)(inputs) is inputs


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_leaves_nothing_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"dropout={share}: expected at least 0 and below 1"):
        LockedDropout(share)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_dropped_weights_change_the_outputs_and_not_the_parameters(cell: str) -> None:
    torch.manual_seed(2)
    encoder = RecurrentEncoder(5, cell, hidden_size=6, layers=2)
    before = {name: parameter.clone() for name, parameter in encoder.named_parameters()}
    inputs = torch.randn(2, 4, 5)
    whole, _ = encoder(inputs)
    dropped = {name: F.dropout(part, 0.5) for name, part in encoder.droppable_matrices().items()}
    assert [name.rpartition(".")[2] for name in dropped] == ["weight_hh_l0", "weight_hh_l1"]
    outputs, _ = functional_call(encoder, dropped, (inputs,))
    assert not torch.allclose(outputs, whole)
    outputs.sum().backward()
    for name, parameter in encoder.named_parameters():
        assert torch.equal(parameter, before[name])
        assert parameter.grad is not None
        if name in dropped:
            assert ((parameter.grad == 0) | (dropped[name] != 0)).all(), "a dropped entry gets no gradient"
    torch.testing.assert_close(encoder(inputs)[0], whole)

"""Poolings: right on real tokens, blind to the padding."""

import pytest
import torch
from torch import Tensor

from rnnlab.encoder.pooling import POOLINGS, AttentionPooling, build_pooling
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.errors import ConfigError

LENGTHS = torch.tensor([3, 5, 1])


def by_hand(name: str, tokens: Tensor, bidirectional: bool) -> Tensor:
    """Pool the tokens ``(length, size)`` of one sequence."""
    half = tokens.shape[1] // 2
    last = torch.cat((tokens[-1, :half], tokens[0, half:])) if bidirectional else tokens[-1]
    parts = {"last": last, "mean": tokens.mean(0), "max": tokens.max(0).values}
    return torch.cat([parts[part] for part in name.split("_")])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", [name for name in POOLINGS if name != "attention"])
@pytest.mark.smoke
def test_it_is_what_one_computes_by_hand(name: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    pooling = POOLINGS[name](4, bidirectional)
    outputs = -torch.rand(3, 5, 4, dtype=torch.float64)
    pooled = pooling(outputs, LENGTHS)
    assert pooled.shape == (3, pooling.output_size)
    for row, tokens, length in zip(pooled, outputs, LENGTHS, strict=True):
        torch.testing.assert_close(row, by_hand(name, tokens[:length], bidirectional))


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.smoke
def test_the_padding_changes_nothing_and_learns_nothing(name: str) -> None:
    torch.manual_seed(0)
    pooling = POOLINGS[name](4, False).double()
    outputs = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    padding = torch.arange(5) >= LENGTHS.unsqueeze(1)
    garbage = outputs.masked_fill(padding.unsqueeze(2), 1e6)
    assert torch.equal(pooling(garbage, LENGTHS), pooling(outputs, LENGTHS))
    wider = torch.nn.functional.pad(outputs, (0, 0, 0, 3))
    torch.testing.assert_close(pooling(wider, LENGTHS), pooling(outputs, LENGTHS), rtol=0, atol=1e-14)
    pooling(outputs, LENGTHS).square().sum().backward()
    assert outputs.grad is not None
    assert (outputs.grad[padding] == 0).all()
    assert (outputs.grad[~padding] != 0).any()


@pytest.mark.parametrize("name", POOLINGS)
def test_no_lengths_mean_full_sequences(name: str) -> None:
    torch.manual_seed(0)
    pooling = POOLINGS[name](4, True)
    outputs = torch.randn(3, 5, 4)
    torch.testing.assert_close(pooling(outputs), pooling(outputs, torch.tensor([5, 5, 5])))


def test_attention_is_a_distribution_over_real_tokens() -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(4, False)
    outputs = torch.randn(3, 5, 4)
    weights = pooling.weights(outputs, LENGTHS)
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    assert (weights[torch.arange(5) >= LENGTHS.unsqueeze(1)] == 0).all()
    torch.testing.assert_close(pooling(outputs, LENGTHS)[0], weights[0, :3] @ outputs[0, :3])


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_last_is_the_final_state_and_all_go_with_every_cell(name: str, cell: str) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(3, cell, 4, layers=2, bidirectional=True)
    pooling = build_pooling(name, encoder)
    outputs, state = encoder(torch.randn(3, 5, 3), LENGTHS)
    pooled = pooling(outputs, LENGTHS, state)
    assert pooled.shape == (3, pooling.output_size)
    if name == "last":
        hidden = state[0] if isinstance(state, tuple) else state
        torch.testing.assert_close(pooled, torch.cat((hidden[-2], hidden[-1]), dim=1))


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("is_time_major", [False, True])
def test_it_passes_gradcheck(name: str, is_time_major: bool) -> None:
    torch.manual_seed(0)
    pooling = POOLINGS[name](4, True).double()
    outputs = torch.randn(5, 3, 4, dtype=torch.float64) if is_time_major else torch.randn(3, 5, 4).double()
    outputs.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: pooling(x.transpose(0, 1) if is_time_major else x, LENGTHS), (outputs,)
    )


def test_an_unknown_pooling_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"task\.pooling=men is unknown\. Did you mean mean\?"):
        build_pooling("men", RecurrentEncoder(3, "gru", 4))

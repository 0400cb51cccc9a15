"""The encoder against ``PackedSequence``: outputs, final states, every gradient, no influence of padding."""

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rnnlab.cells.cell import State, TorchCell
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.scans import packed_pass
from rnnlab.errors import ConfigError

KINDS = [("rnn", "tanh"), ("rnn", "relu"), ("gru", "tanh"), ("lstm", "tanh")]
INPUT, HIDDEN = 3, 4
TOLERANCE = {"rtol": 0, "atol": 1e-10}


class Case(NamedTuple):
    kind: tuple[str, str]
    layers: int
    bidirectional: bool
    lengths: list[int]
    surplus: int
    with_state: bool
    seed: int


cases = st.builds(
    Case,
    kind=st.sampled_from(KINDS),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=6),
    surplus=st.integers(0, 2),
    with_state=st.booleans(),
    seed=st.integers(0, 2**16),
)


def encoder_of(case: Case) -> RecurrentEncoder:
    cell, nonlinearity = case.kind
    encoder = RecurrentEncoder(
        INPUT, cell, HIDDEN, case.layers, case.bidirectional, nonlinearity=nonlinearity
    ).double()
    for parameter in encoder.parameters():
        nn.init.uniform_(parameter, -1, 1)
    return encoder


def random_state(encoder: RecurrentEncoder, batch: int) -> State:
    return tuple(torch.randn_like(part).requires_grad_() for part in encoder.initial_state(batch))


def packed(encoder: RecurrentEncoder, inputs: Tensor, lengths: Tensor, state: State | None) -> Any:
    assert isinstance(encoder.cell, TorchCell)
    assert isinstance(encoder.network, nn.RNNBase)
    return packed_pass(encoder.cell, encoder.network, inputs, lengths, state)


def is_padding(lengths: Tensor, time: int) -> Tensor:
    return torch.arange(time) >= lengths.unsqueeze(1)


def gradients(outputs: Tensor, final: State, seed: int, wrt: list[Tensor]) -> list[Tensor]:
    """Gradients of a random linear function of outputs (padding included) and final state."""
    torch.manual_seed(seed)
    parts = [outputs, *final]
    total = sum((part * torch.randn(part.shape, dtype=part.dtype)).sum() for part in parts)
    assert isinstance(total, Tensor)
    return list(torch.autograd.grad(total, wrt))


@settings(max_examples=60, derandomize=True)
@given(cases)
def test_it_equals_packed_sequence_whatever_the_padding_holds(case: Case) -> None:
    torch.manual_seed(case.seed)
    encoder = encoder_of(case)
    batch, time = len(case.lengths), max(case.lengths) + case.surplus
    lengths = torch.tensor(case.lengths)
    clean = torch.randn(batch, time, INPUT, dtype=torch.float64)
    dirty = clean.masked_fill(is_padding(lengths, time).unsqueeze(2), torch.nan)
    state = random_state(encoder, batch) if case.with_state else None
    wrt = [*encoder.parameters(), *(() if state is None else state)]

    clean.requires_grad_()
    outputs, final = packed(encoder, clean, lengths, state)
    expected = [outputs, *final, *gradients(outputs, final, case.seed, [*wrt, clean])]
    dirty.requires_grad_()
    outputs, final = encoder(dirty, lengths, state)
    found = [outputs, *final, *gradients(outputs, final, case.seed, [*wrt, dirty])]

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)
    assert (outputs[is_padding(lengths, time)] == 0).all()
    assert (found[-1][is_padding(lengths, time)] == 0).all()


@settings(max_examples=40, derandomize=True)
@given(cases, st.randoms(use_true_random=False))
def test_neither_order_nor_batch_mates_matter(case: Case, random: object) -> None:
    torch.manual_seed(case.seed)
    encoder = encoder_of(case)
    batch, time = len(case.lengths), max(case.lengths) + case.surplus
    inputs = torch.randn(batch, time, INPUT, dtype=torch.float64)
    lengths = torch.tensor(case.lengths)
    outputs, final = encoder(inputs, lengths)
    order = torch.randperm(batch)
    turned_outputs, turned_final = encoder(inputs[order], lengths[order])
    torch.testing.assert_close(turned_outputs, outputs[order], **TOLERANCE)
    for one, other in zip(turned_final, final, strict=True):
        torch.testing.assert_close(one, other[:, order], **TOLERANCE)
    for i, length in enumerate(case.lengths):
        alone, alone_final = encoder(inputs[i : i + 1, :length])
        torch.testing.assert_close(alone[0], outputs[i, :length], **TOLERANCE)
        for one, other in zip(alone_final, final, strict=True):
            torch.testing.assert_close(one[:, 0], other[:, i], **TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_it_passes_gradcheck(kind: tuple[str, str]) -> None:
    torch.manual_seed(1)
    encoder = encoder_of(Case(kind, 2, True, [], 0, False, 1))
    lengths = torch.tensor([3, 1, 4])
    inputs = torch.randn(3, 4, INPUT, dtype=torch.float64, requires_grad=True)

    def flat(x: Tensor) -> tuple[Tensor, ...]:
        outputs, final = encoder(x, lengths)
        return (outputs, *final)

    assert torch.autograd.gradcheck(flat, (inputs,))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 40])
@pytest.mark.smoke
def test_float32_is_close_to_packed_sequence(kind: tuple[str, str], length: int) -> None:
    torch.manual_seed(2)
    encoder = RecurrentEncoder(20, kind[0], 32, 2, bidirectional=True, nonlinearity=kind[1])
    inputs = torch.randn(5, 40, 20)
    lengths = torch.tensor([40, 3, 17, length, 39])
    outputs, final = encoder(inputs, lengths)
    expected, expected_final = packed(encoder, inputs, lengths, None)
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(final, expected_final, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_state_that_would_explode_in_the_padding_harms_no_gradient(dtype: torch.dtype) -> None:
    encoder = RecurrentEncoder(2, "rnn", 3, nonlinearity="relu").to(dtype)
    for parameter in encoder.parameters():
        nn.init.constant_(parameter, 3.0)
    inputs = torch.stack((torch.ones(1000, 2, dtype=dtype), torch.full((1000, 2), -9.0, dtype=dtype)))
    assert not encoder(inputs)[0][0].isfinite().all()
    outputs, _ = encoder(inputs, torch.tensor([2, 1000]))
    outputs.sum().backward()
    assert outputs[0, :2].min() > 0
    for parameter in encoder.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_memory_of_an_lstm_survives_a_long_padding(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    encoder = RecurrentEncoder(6, "lstm", 32).to(dtype)
    inputs = torch.randn(2, 700, 6, dtype=dtype)
    _, (_, memory) = encoder(inputs, torch.tensor([700, 10]))
    _, (_, expected) = encoder(inputs[1:, :10])
    torch.testing.assert_close(memory[:, 1:], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_of_ragged_batches_are_exact(kind: tuple[str, str]) -> None:
    encoder = encoder_of(Case(kind, 2, True, [], 0, False, 1))
    lengths = torch.tensor([3, 9, 1, 7])
    inputs = torch.randn(4, 10, INPUT, dtype=torch.float64)
    inputs[is_padding(lengths, 10)] = torch.nan
    inputs.requires_grad_()
    results = []
    for backend in ("packed", "masked"):
        encoder.backend = backend
        outputs, final = encoder(inputs, lengths)
        assert (outputs[is_padding(lengths, 10)] == 0).all()
        results.append([outputs, *final, *gradients(outputs, final, 1, [inputs, *encoder.parameters()])])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)


def test_packing_is_refused_where_it_can_not_be() -> None:
    with pytest.raises(ConfigError, match="lack the mingru cell"):
        RecurrentEncoder(INPUT, "mingru", HIDDEN, backend="packed")
    with pytest.raises(ConfigError, match="walks all layers in one call"):
        RecurrentEncoder(INPUT, "gru", HIDDEN, layers=2, residual=True, backend="packed")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_gives_what_the_cpu_gives(kind: tuple[str, str]) -> None:
    torch.manual_seed(4)
    encoder = encoder_of(Case(kind, 2, True, [], 0, False, 1))
    inputs = torch.randn(4, 9, INPUT, dtype=torch.float64)
    lengths = torch.tensor([3, 9, 1, 7])
    expected, _ = encoder(inputs, lengths)
    encoder.cuda()
    for where in ("cpu", "cuda"):
        found, _ = encoder(inputs.cuda(), lengths.to(where))
        torch.testing.assert_close(found.cpu(), expected, **TOLERANCE)

"""The fused scans compute what PyTorch's networks compute with PackedSequence."""

import pytest
import torch
from torch import nn

from rnnlab.encoder.recurrent import RecurrentEncoder
from tests.kernels.layers import KINDS, case_of, fused, gradients, packed

LENGTHS = {
    "full": [6] * 5,
    "ragged": [4, 9, 1, 9, 3, 2, 7],
    "one row": [11],
    "one step": [1, 1, 1],
    "one long": [1, 1, 40, 1, 2],
    "several chunks": [50, 3, 49, 20, 21, 50, 1, 33, 50, 12, 5, 44],
}


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_double_precision_equals_packed_sequences(kind: str, lengths: list[int], reverse: bool) -> None:
    case = case_of(kind, lengths, reverse=reverse)
    expected, found = packed(case), fused(case)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=1e-12)
    for a, b in zip(gradients(expected, case), gradients(found, case), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=1e-12 * float(a.abs().max().clamp(min=1)))


@pytest.mark.parametrize("hidden_size", [1, 16, 33, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_is_close(kind: str, hidden_size: int) -> None:
    lengths = [30, 2, 17, 30, 30, 1, 9, 25, 11]
    case = case_of(kind, lengths, input_size=20, hidden_size=hidden_size, dtype=torch.float32)
    expected, found = packed(case), fused(case)
    pairs = [*zip(expected, found, strict=True)]
    pairs += zip(gradients(expected, case), gradients(found, case), strict=True)
    for a, b in pairs:
        assert (a - b).abs().max() <= 1e-5 * a.abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_of_the_outputs_is_exactly_zero(kind: str) -> None:
    case = case_of(kind, [3, 1, 5])
    outputs = fused(case)[0]
    for row, length in enumerate(case.lengths.tolist()):
        assert not outputs[row, length:].any()
    torch.autograd.backward(outputs.sum())
    assert case.inputs.grad is not None
    for row, length in enumerate(case.lengths.tolist()):
        assert not case.inputs.grad[row, length:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind: str) -> None:
    case = case_of(kind, [3, 1, 2], input_size=2, hidden_size=3)

    def layer(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(fused(case))

    assert torch.autograd.gradcheck(layer, (case.inputs, *case.states, *case.weights.values()))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_layers_of_an_encoder_equal_the_plain_network(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(5)
    encoder = RecurrentEncoder(4, cell, 7, layers=3, bidirectional=bidirectional, backend="fused").double()
    inputs, lengths = torch.randn(6, 8, 4, dtype=torch.float64), torch.tensor([8, 2, 1, 5, 8, 3])
    sequences = nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    expected, expected_state = encoder.network(sequences)
    expected, _ = nn.utils.rnn.pad_packed_sequence(expected, batch_first=True, total_length=8)
    found, found_state = encoder(inputs, lengths)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    expected_state = expected_state if isinstance(expected_state, tuple) else (expected_state,)
    torch.testing.assert_close(found_state, expected_state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_token_by_token_equals_all_at_once(cell: str) -> None:
    encoder = RecurrentEncoder(4, cell, 7, layers=2, backend="fused").double()
    inputs = torch.randn(3, 5, 4, dtype=torch.float64)
    whole, final = encoder(inputs)
    state = encoder.initial_state(3)
    steps = []
    with torch.no_grad():
        for time in range(5):
            output, state = encoder(inputs[:, time : time + 1], state=state)
            steps.append(output)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(state, final, rtol=1e-12, atol=1e-12)

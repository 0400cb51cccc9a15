"""The fused scans as a part of PyTorch: which tensors they take, what they say when they can't."""

import math

import pytest
import torch
from torch import Tensor

from rnnlab.encoder import backends
from rnnlab.encoder.backends import takes_fused
from rnnlab.encoder.recurrent import RecurrentEncoder
from tests.kernels.layers import KINDS, Case, case_of, cell_of, fused, gradients, packed, scans_of


@pytest.mark.parametrize("kind", KINDS)
def test_not_a_number_stays_one_in_its_own_row(kind: str) -> None:
    case = case_of(kind, [4, 4, 4], hidden_size=20, dtype=torch.float32)
    with torch.no_grad():
        case.inputs[1, 2, 0] = torch.nan
    outputs = fused(case)[0]
    assert torch.isfinite(outputs[[0, 2]]).all()
    assert torch.isfinite(outputs[1, :2]).all()
    assert torch.isnan(outputs[1, 2:]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_huge_inputs_saturate(kind: str) -> None:
    case = case_of(kind, [3], dtype=torch.float32)
    with torch.no_grad():
        case.inputs.fill_(1e30)
    torch.testing.assert_close(fused(case)[0], packed(case)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_tensors_need_not_be_contiguous(kind: str) -> None:
    case = case_of(kind, [5, 3, 4])
    expected = [*fused(case), *gradients(fused(case), case)]
    inputs = case.inputs.detach().permute(2, 1, 0).contiguous().permute(2, 1, 0).requires_grad_()
    states = [state.detach().mT.contiguous().mT.requires_grad_() for state in case.states]
    slope = case.outputs_slope.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert not inputs.is_contiguous()
    assert not slope.is_contiguous()
    other = Case(kind, case.network, inputs, case.lengths, states, slope, case.final_slopes)
    for a, b in zip(expected, [*fused(other), *gradients(fused(other), other)], strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sum_sends_back_one_number_for_all(kind: str) -> None:
    case = case_of(kind, [5, 3, 4])
    outputs = fused(case)[0]
    (spread,) = torch.autograd.grad(outputs.sum(), case.inputs, retain_graph=True)
    (written_out,) = torch.autograd.grad(outputs, case.inputs, torch.ones_like(outputs))
    assert torch.equal(spread, written_out)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_the_final_state_alone(kind: str) -> None:
    case = case_of(kind, [5, 3, 1])
    outputs, *finals = fused(case)
    with_zeros = torch.autograd.grad(
        [outputs, finals[0]],
        case.inputs,
        [torch.zeros_like(outputs), case.final_slopes[0]],
        retain_graph=True,
    )
    alone = torch.autograd.grad(finals[0], case.inputs, case.final_slopes[0])
    assert torch.equal(alone[0], with_zeros[0])


@pytest.mark.parametrize("wanted", ["inputs", "state", "weights"])
def test_gradients_for_some_arguments_only(wanted: str) -> None:
    case = case_of("gru", [5, 3, 1])
    expected = gradients(fused(case), case)
    kept = {"inputs": [case.inputs], "state": case.states, "weights": list(case.weights.values())}[wanted]
    for tensor in (case.inputs, *case.states, *case.weights.values()):
        tensor.requires_grad_(any(tensor is other for other in kept))
    found = torch.autograd.grad(fused(case), kept, [case.outputs_slope, *case.final_slopes])
    first = {"inputs": 0, "state": 1, "weights": 2}[wanted]
    for a, b in zip(expected[first : first + len(kept)], found, strict=True):
        assert torch.equal(a, b)


def test_nothing_is_kept_where_no_gradient_is_wanted() -> None:
    case = case_of("lstm", [5, 3, 1])
    with torch.no_grad():
        assert not any(result.requires_grad for result in fused(case))


def test_going_back_twice_over_a_kept_graph_gives_the_same() -> None:
    case = case_of("gru", [5, 3, 1])
    outputs = fused(case)[0]
    first = torch.autograd.grad(outputs, case.inputs, case.outputs_slope, retain_graph=True)
    second = torch.autograd.grad(outputs, case.inputs, case.outputs_slope)
    assert torch.equal(first[0], second[0])
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(outputs, case.inputs, case.outputs_slope)


def test_second_derivatives_are_refused() -> None:
    case = case_of("gru", [2])
    with pytest.raises(RuntimeError, match=r"no second derivatives.*backend=torch"):
        torch.autograd.grad(fused(case)[0].sum(), case.inputs, create_graph=True)


def test_functional_transforms_are_refused() -> None:
    case = case_of("gru", [2])

    def loss(inputs: Tensor) -> Tensor:
        outputs: Tensor = scans_of("gru", None, inputs).scan(inputs, (case.states[0],), case.weights, False)[
            0
        ]
        return outputs.sum()

    with pytest.raises(RuntimeError, match=r"functorch|setup_context"):
        torch.func.grad(loss)(case.inputs.detach())


def test_narrow_inputs_of_mixed_precision_are_widened() -> None:
    encoder = RecurrentEncoder(4, "gru", 5, backend="fused")
    inputs = torch.randn(2, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = encoder(inputs.to(torch.bfloat16))
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, encoder(inputs.to(torch.bfloat16).float())[0])


@pytest.mark.parametrize(
    ("kind", "hidden_size", "is_fused"),
    [("gru", 128, True), ("tanh", 128, True), ("gru", 512, False), ("lstm", 128, False)],
)
def test_mixed_precision_takes_the_scans_where_they_are_faster(
    monkeypatch: pytest.MonkeyPatch, kind: str, hidden_size: int, is_fused: bool
) -> None:
    monkeypatch.setattr(backends, "bfloat16_is_faster", lambda: True)
    for numbers in (torch.float32, torch.bfloat16):  # a layer below may hand up either
        inputs = torch.randn(2, 12, 4, dtype=numbers)
        with torch.autocast("cpu", torch.bfloat16):
            assert takes_fused(cell_of(kind), "auto", inputs, hidden_size, None) == is_fused
    monkeypatch.setattr(backends, "bfloat16_is_faster", lambda: False)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = torch.randn(2, 12, 4, dtype=torch.bfloat16)
        assert takes_fused(cell_of(kind), "auto", narrow, hidden_size, None)


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((2, 3), None, r"inputs has shape \(2, 3\)"),
        ((0, 3, 4), None, r"inputs has shape \(0, 3, 4\)"),
        ((2, 3, 4), [1], "expected .2,. integers from 1 to 3"),
        ((2, 3, 4), [0, 3], "expected .2,. integers from 1 to 3"),
        ((2, 3, 4), [1, 4], "expected .2,. integers from 1 to 3"),
    ],
)
def test_wrong_arguments_are_named(shape: tuple[int, ...], lengths: list[int] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scans_of("gru", None if lengths is None else torch.tensor(lengths), torch.zeros(shape))


def test_a_compiled_model_calls_the_scans_as_they_are() -> None:
    encoder = RecurrentEncoder(4, "gru", 5, backend="fused")
    inputs = torch.randn(2, 9, 4)
    compiled = torch.compile(encoder, backend="eager")
    assert torch.equal(compiled(inputs)[0], encoder(inputs)[0])


def test_an_untrained_gru_halves_its_state() -> None:
    """With all weights zero both gates are a half and the candidate is zero, so h' = h / 2."""
    weights = {name: torch.zeros(shape) for name, shape in cell_of("gru").parameters(3, 4).items()}
    inputs, state = torch.randn(1, 5, 3), torch.ones(1, 1, 4)
    outputs, (final,) = scans_of("gru", None, inputs).scan(inputs, (state,), weights, False)
    torch.testing.assert_close(outputs[0, :, 0], torch.tensor([0.5**step for step in range(1, 6)]))
    assert math.isclose(float(final[0, 0, 0]), 0.5**5, rel_tol=1e-6)


@pytest.mark.parametrize("time", [1, 4])
@pytest.mark.parametrize("with_gradients", [True, False])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_mixed_precision_leaves_the_scans_alone(cell: str, with_gradients: bool, time: int) -> None:
    torch.manual_seed(3)
    encoder = RecurrentEncoder(6, cell, 7, backend="fused")
    inputs = torch.randn(3, time, 6).bfloat16()  # what a layer below hands up under autocast
    with torch.set_grad_enabled(with_gradients):
        expected, expected_state = encoder(inputs.float())
        with torch.autocast("cpu", torch.bfloat16):
            found, state = encoder(inputs)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    torch.testing.assert_close(state, expected_state, rtol=0, atol=0)

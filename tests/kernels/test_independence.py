"""No bit of a result depends on threads, batch-mates, padding or repetition."""

from collections.abc import Iterator

import pytest
import torch

from rnnlab.encoder.recurrent import RecurrentEncoder
from tests.kernels.layers import KINDS, all_of, case_of, scans_of

LENGTHS = [40, 3, 25, 40, 18, 31, 2, 40, 9, 14, 40, 22, 35, 1, 40, 28, 6, 40, 12, 33] * 2


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("lengths", [LENGTHS, [40] * 21], ids=["ragged", "full"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_threads(kind: str, lengths: list[int], reverse: bool) -> None:
    case = case_of(kind, lengths, 24, 40, torch.float32, reverse)
    torch.set_num_threads(1)
    alone = all_of(case)
    for count in (2, 3):
        torch.set_num_threads(count)
        for a, b in zip(alone, all_of(case), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_two_runs(kind: str) -> None:
    case = case_of(kind, LENGTHS, 24, 40, torch.float32)
    for a, b in zip(all_of(case), all_of(case), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", KINDS)
def test_batch_mates(kind: str, reverse: bool) -> None:
    case = case_of(kind, LENGTHS, 24, 40, torch.float32, reverse)
    together = _scanned(case.kind, case, list(range(len(LENGTHS))))
    for rows in ([0], [13], [5, 2], [1, 7, 39, 20, 4, 3, 2, 11, 12]):
        for whole, part in zip(together, _scanned(case.kind, case, rows), strict=True):
            assert torch.equal(whole[rows], part)


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_in_the_padding(kind: str) -> None:
    case = case_of(kind, [3, 7, 1], 24, 40, torch.float32)
    clean = all_of(case)
    with torch.no_grad():
        for row, length in enumerate((3, 7, 1)):
            case.inputs[row, length:] = torch.nan
            case.outputs_slope[row, length:] = torch.nan
    for a, b in zip(clean, all_of(case), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_whether_gradients_are_wanted(kind: str) -> None:
    case = case_of(kind, [50, 3, 49, 20, 21, 50, 1, 33, 50, 12, 5, 44], 24, 40, torch.float32)
    every = list(range(12))
    with torch.no_grad():
        without = _scanned(kind, case, every)[:2]
    for a, b in zip(_scanned(kind, case, every)[:2], without, strict=True):
        assert torch.equal(a, b)


def _scanned(kind: str, case: object, rows: list[int]) -> list[torch.Tensor]:
    """Return outputs, final hidden state and gradient of the inputs of some rows, the batch first."""
    inputs = case.inputs.detach()[rows].requires_grad_(torch.is_grad_enabled())  # type: ignore[attr-defined]
    states = [state.detach()[:, rows] for state in case.states]  # type: ignore[attr-defined]
    slope = case.outputs_slope[rows]  # type: ignore[attr-defined]
    scans = scans_of(kind, case.lengths[rows], inputs)  # type: ignore[attr-defined]
    outputs, final = scans.scan(inputs, tuple(states), case.weights, case.reverse)  # type: ignore[attr-defined]
    results = [outputs.detach(), final[0].detach()[0]]
    if torch.is_grad_enabled():
        results += torch.autograd.grad(outputs, inputs, slope)
    return results


@pytest.mark.parametrize("count", [1, 2])
def test_gradients_that_vanish_are_zero_at_last_and_nobody_elses_are(count: int) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(3, "rnn", 4, backend="fused")
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.mul_(0.1)
    slow = RecurrentEncoder(3, "rnn", 4, backend="torch")
    slow.load_state_dict(encoder.state_dict())
    smallest = torch.finfo(torch.float32).tiny
    slopes = []
    torch.set_num_threads(count)
    for network in (encoder, slow):
        inputs = torch.randn(40, 300, 3, requires_grad=True)
        network(inputs)[0][:, -1].sum().backward()
        assert inputs.grad is not None
        slopes.append(inputs.grad.abs())
    assert not ((slopes[0] > 0) & (slopes[0] < smallest)).any()
    assert ((slopes[1] > 0) & (slopes[1] < smallest)).any()  # and PyTorch goes on as before

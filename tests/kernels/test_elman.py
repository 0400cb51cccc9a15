"""Backpropagation through time in PyTorch's operations, against PyTorch's own kernels."""

import pytest
import torch
from torch import Tensor

from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.kernels.elman import can_walk, elman_walk

WALKS = {False: torch.rnn_tanh, True: torch.rnn_relu}


def arguments(time: int, batch: int, size: int, hidden: int) -> list[Tensor]:
    torch.manual_seed(time * batch)
    shapes = [(time, batch, size), (1, batch, hidden), (hidden, size), (hidden, hidden), (hidden,), (hidden,)]
    return [torch.randn(shape, dtype=torch.float64).mul(0.5).requires_grad_() for shape in shapes]


def walked(given: list[Tensor], rectified: bool) -> Tensor:
    inputs, start, *weights = given
    return elman_walk(inputs, start, (weights[0], weights[1], weights[2], weights[3]), rectified)


def walked_by_torch(given: list[Tensor], rectified: bool) -> Tensor:
    inputs, start, *weights = given
    return WALKS[rectified](inputs, start, weights, True, 1, 0.0, True, False, False)[0]


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 2, 4), (7, 2, 3, 5), (40, 6, 4, 3)])
def test_it_is_pytorchs_network_with_every_gradient(
    rectified: bool, shape: tuple[int, int, int, int]
) -> None:
    given = arguments(*shape)
    found, expected = walked(given, rectified), walked_by_torch(given, rectified)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    slopes = torch.randn_like(found)
    pairs = zip(*(torch.autograd.grad(one, given, slopes) for one in (found, expected)), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rectified", [False, True])
def test_second_derivatives_are_there(rectified: bool) -> None:
    given = arguments(5, 2, 3, 4)
    assert torch.autograd.gradgradcheck(lambda *some: walked(list(some), rectified), given)


def test_only_what_is_asked_for_has_a_gradient() -> None:
    given = [one.detach() for one in arguments(5, 2, 3, 4)]
    given[3].requires_grad_()
    (expected,) = torch.autograd.grad(walked_by_torch(given, False).sum(), given[3])
    walked(given, False).sum().backward()
    torch.testing.assert_close(given[3].grad, expected)
    assert given[0].grad is given[2].grad is None


def test_it_stands_in_for_training_alone() -> None:
    inputs = torch.zeros(2, 3, 4)
    assert can_walk(inputs)
    with torch.no_grad():
        assert not can_walk(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        assert not can_walk(inputs)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_a_batch_of_one_length_trains_as_nn_rnn_does(nonlinearity: str) -> None:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(
        3, "rnn", 4, 2, bidirectional=True, nonlinearity=nonlinearity, backend="torch"
    ).double()
    inputs = torch.randn(2, 30, 3, dtype=torch.float64, requires_grad=True)
    given = [inputs, *encoder.parameters()]
    outputs, final = encoder(inputs)
    expected = encoder.network(inputs)
    for one, other in zip((outputs, final[0]), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    slopes = [torch.randn_like(outputs), torch.randn_like(final[0])]
    found = torch.autograd.grad([outputs, final[0]], given, slopes)
    for one, other in zip(found, torch.autograd.grad(expected, given, slopes), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)

"""Gradient norms against theory: powers of the spectral radius, and autograd's own Jacobians."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from rnnlab.cells.cell import Cell, State, Step, Weights
from rnnlab.diagnostics.gradient_flow import (
    Flow,
    LayerFlow,
    effective_memory,
    gradient_flow,
    only_where_read_last,
)
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.trace import EncoderTrace, traced, traced_layer


class Linear(Cell):
    """What the theory of vanishing gradients begins with."""

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        return Step((given + states[0] @ weights["weight_hh"].T,))


def linear_flow(matrix: Tensor, steps: int, slope_at_end: Tensor) -> Flow:
    """The flow through ``h' = W h + U x`` with the loss at the last step."""
    hidden = len(matrix)
    inputs = torch.randn(len(slope_at_end), steps, 3, dtype=torch.float64).requires_grad_()
    shapes = Linear().parameters(3, hidden)
    weights = {name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}
    outputs, layer = traced_layer(Linear(), hidden, inputs, None, {**weights, "weight_hh": matrix.double()})
    slope = torch.zeros_like(outputs)
    slope[:, -1] = slope_at_end
    (found,) = gradient_flow(EncoderTrace(outputs, [layer]), slope)
    return found.hidden


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.0, 1.1])
def test_in_a_linear_network_norms_are_powers_of_the_spectral_radius(radius: float) -> None:
    torch.manual_seed(0)
    orthogonal = nn.init.orthogonal_(torch.empty(8, 8, dtype=torch.float64))
    slope = torch.randn(4, 8, dtype=torch.float64)
    flow = linear_flow(radius * orthogonal, 120, slope)
    powers = radius ** torch.arange(120, dtype=torch.float64)
    torch.testing.assert_close(flow.norms, slope.norm(dim=1, keepdim=True) * powers, rtol=1e-10, atol=0)
    torch.testing.assert_close(flow.relative, powers, rtol=1e-10, atol=0)
    expected = math.log(0.01) / math.log(radius) if radius < 1 else math.inf
    assert flow.effective_memory == pytest.approx(expected)


@pytest.mark.parametrize("radius", [0.6, 0.95, 1.05])
def test_in_any_linear_network_they_fall_by_the_spectral_radius_in_the_end(radius: float) -> None:
    torch.manual_seed(1)
    basis = torch.randn(6, 6, dtype=torch.float64)  # far from orthogonal: at first norms may even grow
    values = torch.diag(torch.tensor([radius, 0.4, -0.3, 0.2, 0.1, 0.0], dtype=torch.float64))
    flow = linear_flow(basis @ values @ torch.linalg.inv(basis), 90, torch.randn(3, 6, dtype=torch.float64))
    ratios = flow.norms[:, 80:] / flow.norms[:, 79:-1]
    torch.testing.assert_close(ratios, torch.full_like(ratios, radius), rtol=1e-6, atol=0)


def test_squashing_never_lets_a_norm_exceed_the_largest_singular_values_power() -> None:
    torch.manual_seed(2)
    encoder = RecurrentEncoder(3, "rnn", 8)
    trace = traced(encoder, torch.randn(5, 40, 3))
    slope = torch.zeros_like(trace.outputs)
    slope[:, -1] = torch.randn(5, 8, dtype=torch.float64)
    (flow,) = gradient_flow(trace, slope)
    largest = torch.linalg.matrix_norm(encoder.network.all_weights[0][1].detach().double(), 2)
    bound = largest ** torch.arange(40)
    assert (flow.hidden.relative <= bound * (1 + 1e-9)).all()
    assert flow.hidden.relative[-1] < 1e-4


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_real_cells_agree_with_the_full_jacobian_of_pytorchs_own(cell: str) -> None:
    torch.manual_seed(3)
    encoder = RecurrentEncoder(4, cell, 5)
    network = encoder.network.double()
    inputs = torch.randn(1, 9, 4, dtype=torch.float64)
    slope_at_end = torch.randn(5, dtype=torch.float64)
    trace = traced(encoder, inputs)
    slope = torch.zeros_like(trace.outputs)
    slope[0, -1] = slope_at_end
    (flow,) = gradient_flow(trace, slope)
    (layer,) = trace.layers
    for distance in range(1, 9):
        at = 8 - distance
        hidden = layer.hidden[at].detach().unsqueeze(0)
        memory = None if layer.memory is None else layer.memory[at].detach().unsqueeze(0)

        def last(state: Tensor, at: int = at, memory: Tensor | None = memory) -> Tensor:
            """The hidden state at the end as a function of the one at ``at``, by PyTorch's kernel."""
            given = state if memory is None else (state, memory)
            return network(inputs[:, at + 1 :], given)[0][0, -1]

        expected = slope_at_end @ jacobian(last, hidden)[:, 0, 0]
        torch.testing.assert_close(flow.hidden.norms[0, distance], expected.norm(), rtol=1e-6, atol=1e-12)


def test_the_memory_cells_gradient_agrees_with_the_full_jacobian() -> None:
    torch.manual_seed(4)
    encoder = RecurrentEncoder(4, "lstm", 5)
    network = encoder.network.double()
    inputs = torch.randn(1, 7, 4, dtype=torch.float64)
    slope_at_end = torch.randn(5, dtype=torch.float64)
    trace = traced(encoder, inputs)
    slope = torch.zeros_like(trace.outputs)
    slope[0, -1] = slope_at_end
    (flow,) = gradient_flow(trace, slope)
    (layer,) = trace.layers
    assert layer.memory is not None
    assert flow.memory is not None
    for distance in range(1, 7):
        at = 6 - distance
        leave = layer.gates["output"][:, at].unsqueeze(0)

        def last(memory: Tensor, at: int = at, leave: Tensor = leave) -> Tensor:
            return network(inputs[:, at + 1 :], (leave * torch.tanh(memory), memory))[0][0, -1]

        expected = slope_at_end @ jacobian(last, layer.memory[at].detach().unsqueeze(0))[:, 0, 0]
        torch.testing.assert_close(flow.memory.norms[0, distance], expected.norm(), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_padded_sequence_is_measured_as_if_it_were_alone(cell: str, layers: int) -> None:
    torch.manual_seed(5)
    encoder = RecurrentEncoder(3, cell, 4, layers=layers, bidirectional=True)
    inputs, lengths = torch.randn(3, 9, 3), torch.tensor([9, 4, 6])
    slope = torch.randn(3, 9, 8)
    together = flows(encoder, inputs, lengths, slope)
    for row, length in enumerate(lengths.tolist()):
        own = slice(row, row + 1)
        alone = flows(encoder, inputs[own, :length], None, slope[own, :length])
        for one, two in zip(together, alone, strict=True):
            torch.testing.assert_close(one.hidden.norms[own, :length], two.hidden.norms)
            assert one.hidden.norms[row, length:].isnan().all()


def flows(
    encoder: RecurrentEncoder, inputs: Tensor, lengths: Tensor | None, slope: Tensor
) -> list[LayerFlow]:
    trace = traced(encoder, inputs, lengths)
    return gradient_flow(trace, only_where_read_last(slope, lengths, encoder.is_bidirectional), lengths)


def test_the_backward_direction_is_the_forward_one_on_the_turned_sequence() -> None:
    torch.manual_seed(6)
    encoder = RecurrentEncoder(3, "gru", 4, bidirectional=True)
    turned = RecurrentEncoder(3, "gru", 4, bidirectional=True)
    state = encoder.network.state_dict()
    swapped = {
        name: state[name.removesuffix("_reverse") if name.endswith("_reverse") else f"{name}_reverse"]
        for name in state
    }
    turned.network.load_state_dict(swapped)
    inputs, slope = torch.randn(2, 6, 3), torch.randn(2, 6, 8)
    forward, backward = flows(encoder, inputs, None, slope)
    other_slope = torch.cat((slope.flip(1)[:, :, 4:], slope.flip(1)[:, :, :4]), dim=2)
    other_forward, other_backward = flows(turned, inputs.flip(1), None, other_slope)
    torch.testing.assert_close(backward.hidden.norms, other_forward.hidden.norms)
    torch.testing.assert_close(forward.hidden.norms, other_backward.hidden.norms)
    assert (forward.hidden.norms[:, 0] == slope[:, -1, :4].double().norm(dim=1)).all()
    assert (backward.hidden.norms[:, 0] == slope[:, 0, 4:].double().norm(dim=1)).all()


def test_short_sequences_do_not_bend_the_curve_where_they_end() -> None:
    # Two sequences lose half at each step; the short one has a hundred times the gradient.
    halves = 0.5 ** torch.arange(6, dtype=torch.float64)
    norms = torch.stack((halves, 100 * halves))
    norms[1, 3:] = torch.nan
    flow = Flow(norms)
    torch.testing.assert_close(flow.relative, halves)
    torch.testing.assert_close(flow.mean[:3], 50.5 * halves[:3])
    torch.testing.assert_close(flow.mean[3:], halves[3:])


def test_a_loss_that_sends_nothing_measures_nothing() -> None:
    flow = Flow(torch.zeros(2, 5))
    assert flow.relative.isnan().all()
    assert math.isnan(flow.effective_memory)


@pytest.mark.parametrize(
    ("relative", "distance"),
    [
        ([1.0, 0.001], 2 / 3),
        ([1.0, 0.005, 0.02, 0.001], 2 + math.log(2) / math.log(20)),  # below for good only after a bump
        ([1.0, 0.0, 0.0], 1.0),
        ([1.0, 0.5], math.inf),
        ([0.0, 0.0], 0.0),
    ],
)
def test_effective_memory_is_where_the_gradient_has_fallen_for_good(
    relative: list[float], distance: float
) -> None:
    assert effective_memory(relative) == pytest.approx(distance)

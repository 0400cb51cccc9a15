"""Every cell's step is the statement of its equations: what is faster gives the same."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.cells import cell_classes, cell_named
from rnnlab.cells.cell import Cell, State, Step, TorchCell, Weights
from rnnlab.encoder.scans import StepScans, TorchScans
from rnnlab.errors import ConfigError

PYTORCHS = [name for name, cls in cell_classes().items() if issubclass(cls, TorchCell)]
CELLS = [*map(cell_named, PYTORCHS), cell_named("rnn", {"nonlinearity": "relu"})]
TORCH_CELLS = [cell for cell in CELLS if isinstance(cell, TorchCell)]
LENGTHS = torch.tensor([5, 2, 1, 4])


def weights_of(cell: Cell, input_size: int, hidden_size: int) -> dict[str, Tensor]:
    shapes = cell.parameters(input_size, hidden_size)
    return {
        name: torch.randn(shape, dtype=torch.float64).mul(0.5).requires_grad_()
        for name, shape in shapes.items()
    }


def scanned(scans: Any, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> list[Tensor]:
    outputs, final = scans.scan(scans.enter(inputs), state, weights, reverse)
    return [scans.leave([outputs]), *final]


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize(
    "cell", TORCH_CELLS, ids=lambda cell: f"{cell.name}-{getattr(cell, 'nonlinearity', '')}"
)
@pytest.mark.smoke
def test_the_scan_of_a_step_is_pytorchs_with_every_gradient(cell: TorchCell, reverse: bool) -> None:
    torch.manual_seed(1)
    weights = weights_of(cell, 3, 4)
    state = tuple(torch.randn(1, 4, 4, dtype=torch.float64, requires_grad=True) for _ in cell.states)
    inputs = torch.randn(4, 5, 3, dtype=torch.float64, requires_grad=True)
    wrt = [inputs, *state, *weights.values()]
    found, expected = (
        scanned(kind(cell, LENGTHS, inputs), inputs, state, weights, reverse)  # type: ignore[operator]
        for kind in (StepScans, TorchScans)
    )
    slopes = [torch.randn_like(part) for part in expected]
    pairs = [*zip(found, expected, strict=True)]
    pairs += zip(
        torch.autograd.grad(found, wrt, slopes), torch.autograd.grad(expected, wrt, slopes), strict=True
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.name}-{getattr(cell, 'nonlinearity', '')}")
def test_it_has_second_derivatives(cell: Cell) -> None:
    torch.manual_seed(2)
    weights = weights_of(cell, 2, 3)
    state = tuple(torch.randn(1, 2, size, dtype=torch.float64) for size in cell.state_sizes(3))
    lengths = torch.tensor([3, 2])

    def outputs(inputs: Tensor, *some: Tensor) -> Tensor:
        named = dict(zip(weights, some, strict=True))
        return scanned(StepScans(cell, lengths, inputs), inputs, state, named, False)[0]

    inputs = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(outputs, (inputs, *weights.values()))


@pytest.mark.parametrize(
    "cell", TORCH_CELLS, ids=lambda cell: f"{cell.name}-{getattr(cell, 'nonlinearity', '')}"
)
def test_a_step_of_pytorchs_own_is_the_same(cell: TorchCell) -> None:
    torch.manual_seed(3)
    weights = weights_of(cell, 3, 4)
    states = tuple(torch.randn(2, 4, dtype=torch.float64) for _ in cell.states)
    token = torch.randn(2, 1, 3, dtype=torch.float64)
    expected = cell.step(cell.project(token, weights)[:, 0], states, weights).states
    torch.testing.assert_close(cell.torch_step(token[:, 0], states, weights), expected)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.name}-{getattr(cell, 'nonlinearity', '')}")
def test_what_a_step_shows_is_within_its_limits(cell: Cell) -> None:
    torch.manual_seed(4)
    weights = weights_of(cell, 3, 4)
    states = tuple(torch.randn(2, size, dtype=torch.float64) for size in cell.state_sizes(4))
    step = cell.step(cell.project(torch.randn(2, 1, 3).double(), weights)[:, 0], states, weights)
    assert len(step.states) == len(cell.states)
    assert all(bool(((gate > 0) & (gate < 1)).all()) for gate in step.gates.values())
    assert all(bool((part.abs() < 1).all()) for part in step.squashed.values())
    assert {*step.gates} <= {*cell.blocks}


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_each_weight_is_one_multiplication_and_one_addition(cell: str, gates: int) -> None:
    assert cell_named(cell).operations_per_token(20, 30) == 2 * gates * 30 * (20 + 30)


def test_when_the_fused_scan_is_faster() -> None:
    gru, lstm = cell_named("gru"), cell_named("lstm")
    assert gru.fused_is_faster(512, 240, 0.0)
    assert not lstm.fused_is_faster(512, 240, 0.0)
    assert lstm.fused_is_faster(512, 240, 0.5)
    assert not gru.fused_is_faster(128, 1, 0.0)
    assert [gru.fused_is_faster(units, 240, 0.0, is_mixed=True) for units in (128, 512)] == [True, False]


class Nothing(Cell):
    """It lacks its step."""


class Leaky(Cell):
    """A cell with an option: what is read fades by a factor."""

    is_elementwise = True

    def __init__(self, fading: float = 0.5) -> None:
        self.fading = fading

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        return Step((self.fading * states[0] + given,))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gruu", {}, "model.cell=gruu is unknown. Did you mean gru or mingru?"),
        ("cell", {}, "model.cell=cell is unknown"),
        ("no_such_module.Cell", {}, "model.cell=no_such_module.Cell: can't import 'no_such_module'"),
        ("torch.nn.GRU", {}, "model.cell=torch.nn.GRU is not a class derived from Cell"),
        (f"{__name__}.Nothing", {}, "lacks step"),
        (f"{__name__}.Leaky", {"fadin": 1.0}, "model.fadin: Leaky has no such option. Did you mean fading?"),
        (f"{__name__}.Leaky", {"fading": "much"}, "model.fading=much: expected a number"),
    ],
)
def test_what_is_no_cell_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        cell_named(name, options)
    assert message in str(refused.value)


def test_a_cell_of_ones_own_has_its_options() -> None:
    cell = cell_named(f"{__name__}.Leaky", {"fading": 0.25})
    assert cell.name == "Leaky"
    assert list(cell.parameters(3, 4)) == ["weight_ih", "bias_ih"]
    assert math.isclose(float(cell.step(torch.ones(1, 1), (torch.ones(1, 1),), {}).states[0]), 1.25)

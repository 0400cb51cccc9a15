"""Scans over numbers, and dropped weights, of every cell of ``cells/`` that has them."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.cells import cell_classes, cell_named
from rnnlab.cells.cell import ElementwiseCell, Weights
from rnnlab.cells.mingru import MinGru
from rnnlab.encoder.backends import scans_for
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.encoder.scans import StepScans

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "qrnn": [{}, {"window": 2, "zoneout": 0.3}],
    "slstm": [{"heads": 1}],
}
CASES = [(name, options) for name in cell_classes() for options in OPTIONS.get(name, [{}])]
EVERY = pytest.mark.parametrize(("name", "options"), CASES, ids=str)
ELEMENTWISE = [case for case in CASES if isinstance(cell_named(*case), ElementwiseCell)]


@EVERY
def test_dropped_weights_and_every_parameter_learns(name: str, options: dict[str, Any]) -> None:
    torch.manual_seed(2)
    encoder = RegularisedEncoder(3, name, 4, 2, 5, dropout=0.0, weight_dropout=0.5, **options)
    inputs = torch.randn(4, 8, 3)
    outputs, state = encoder(inputs)
    assert not torch.equal(encoder(inputs)[0], outputs)
    encoder(inputs, None, tuple(part.detach() for part in state))[0].square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in encoder.parameters())
    assert torch.equal(encoder.eval()(inputs)[0], encoder(inputs)[0])


@pytest.mark.parametrize(("name", "options"), ELEMENTWISE, ids=str)
@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
def test_the_fused_scans_gradients_are_right(name: str, options: dict[str, Any], reverse: bool) -> None:
    cell, lengths = cell_named(name, options), torch.tensor([3, 1, 2])
    torch.manual_seed(3)
    shapes = [*cell.parameters(2, 3).values(), *((1, 3, size) for size in cell.state_sizes(3))]
    tensors = [torch.randn(shape, dtype=torch.float64).mul(0.5).requires_grad_() for shape in shapes]
    inputs = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    scans = scans_for(cell, "fused", inputs, 3, lengths)
    assert type(scans).__name__ == "ElementwiseScans"

    def layer(inputs: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        weights = dict(zip(cell.parameters(2, 3), given, strict=False))
        state = given[len(weights) :]
        outputs, final = scans.scan(scans.enter(inputs), state, weights, reverse)
        return scans.leave([outputs]), *final

    assert torch.autograd.gradcheck(layer, (inputs, *tensors))
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(layer(inputs, *tensors)[0].square().sum(), inputs, create_graph=True)


class Doubled(MinGru):
    """One that multiplies in its own way."""

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        return super().project(2 * inputs, weights)


def test_a_cell_that_multiplies_in_its_own_way_does_so_in_the_fused_scan() -> None:
    cell, lengths = Doubled(), torch.tensor([3, 1])
    weights = {name: torch.randn(shape) for name, shape in cell.parameters(2, 3).items()}
    inputs, state = torch.randn(2, 3, 2), (torch.zeros(1, 2, 3),)
    scans = scans_for(cell, "fused", inputs, 3, lengths), StepScans(cell, lengths, inputs)
    fused, stepped = (way.leave([way.scan(way.enter(inputs), state, weights, False)[0]]) for way in scans)
    torch.testing.assert_close(fused, stepped)

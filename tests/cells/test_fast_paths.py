"""Every cell in ``cells/``, found by its file: fast paths, padding, directions, states that are handed on."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.cells import cell_classes, cell_named
from rnnlab.cells.cell import ElementwiseCell
from rnnlab.encoder.backends import scans_for
from rnnlab.encoder.recurrent import RecurrentEncoder
from rnnlab.encoder.regularised import RegularisedEncoder
from rnnlab.encoder.trace import traced

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "qrnn": [{}, {"window": 2, "zoneout": 0.3}],
    "lru": [{"glu": True}],
    "slstm": [{"heads": 1}],
}
CASES = [(name, options) for name in cell_classes() for options in OPTIONS.get(name, [{}])]
EVERY = pytest.mark.parametrize(("name", "options"), CASES, ids=str)
ELEMENTWISE = [case for case in CASES if isinstance(cell_named(*case), ElementwiseCell)]
LENGTHS = [5, 2, 7, 1, 7]


def encoder_of(
    name: str, options: dict[str, Any], backend: str = "auto", layers: int = 2
) -> RecurrentEncoder:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(3, name, 4, layers, layers > 1, backend=backend, **options)
    return encoder.double().eval()


def gradients(results: list[Tensor], wrt: list[Tensor]) -> list[Tensor]:
    slopes = [torch.linspace(-1, 1, part.numel(), dtype=part.dtype).view_as(part).cos() for part in results]
    total = torch.stack([(part * slope).sum() for part, slope in zip(results, slopes, strict=True)]).sum()
    return list(torch.autograd.grad(total, wrt))


@EVERY
def test_a_ragged_batch_is_its_rows_each_alone(name: str, options: dict[str, Any]) -> None:
    """What trains is compared with the plain loop (PyTorch's kernels, where it has them), row by row."""
    fast, plain = encoder_of(name, options), encoder_of(name, options, "torch")
    inputs = torch.randn(5, 8, 3, dtype=torch.float64)
    state = tuple(torch.randn_like(part).requires_grad_() for part in fast.initial_state(5))
    alone = inputs.clone().requires_grad_()
    for row, length in enumerate(LENGTHS):
        inputs[row, length:] = torch.nan
    inputs.requires_grad_()
    outputs, final = fast(inputs, torch.tensor(LENGTHS), state)
    assert not any(outputs[row, length:].any() for row, length in enumerate(LENGTHS))
    rows = [
        plain(alone[row : row + 1, :length], None, tuple(part[:, row : row + 1] for part in state))
        for row, length in enumerate(LENGTHS)
    ]
    ends = [torch.cat(parts, dim=1) for parts in zip(*(end for _, end in rows), strict=True)]
    padded = [torch.nn.functional.pad(part, (0, 0, 0, 8 - part.shape[1])) for part, _ in rows]
    found = gradients([outputs, *final], [inputs, *state, *fast.parameters()])
    expected = gradients([torch.cat(padded), *ends], [alone, *state, *plain.parameters()])
    pairs = [(outputs, torch.cat(padded)), *zip(final, ends, strict=True), *zip(found, expected, strict=True)]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@EVERY
def test_one_step_at_a_time_is_the_whole_sequence(name: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(name, options, layers=1)
    inputs = torch.randn(2, 9, 3, dtype=torch.float64)
    whole, end = encoder(inputs)
    state, outputs = encoder.initial_state(2), []
    with torch.no_grad():
        for part in inputs.split((1, 1, 2, 5), dim=1):
            output, state = encoder(part, None, state)
            outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole, rtol=0, atol=1e-10)
    torch.testing.assert_close(state, end, rtol=0, atol=1e-10)


@EVERY
def test_what_diagnostics_see_is_what_is_computed(name: str, options: dict[str, Any]) -> None:
    encoder = encoder_of(name, options)
    inputs = torch.randn(5, 7, 3, dtype=torch.float64)
    trace = traced(encoder, inputs, torch.tensor(LENGTHS))
    torch.testing.assert_close(trace.outputs, encoder(inputs, torch.tensor(LENGTHS))[0], rtol=0, atol=1e-10)
    for layer in trace.layers[-2:]:
        slopes = torch.autograd.grad(trace.outputs.square().sum(), list(layer.hidden), retain_graph=True)
        assert all(slope.any() for slope in slopes)


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

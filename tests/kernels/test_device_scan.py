"""The scan for CUDA, run on the CPU by Triton's interpreter, equals the loop over a cell's step."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.cells import cell_named
from rnnlab.cells.cell import ElementwiseCell
from rnnlab.encoder.backends import ElementwiseScans
from rnnlab.encoder.scans import StepScans

LENGTHS = torch.tensor([3, 1, 4])


@pytest.fixture(scope="module", autouse=True)
def interpreted() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        pytest.importorskip("triton", reason="THE SCAN FOR CUDA IS NOT TESTED: Triton is not installed")
        yield importlib.reload(importlib.import_module("rnnlab.kernels.device_scan"))


@pytest.mark.parametrize(
    ("name", "lengths", "reverse"),
    [("mingru", LENGTHS, False), ("qrnn", LENGTHS, True), ("lru", LENGTHS, True), ("lru", None, False)],
)
def test_it_equals_the_loop_with_every_gradient(name: str, lengths: Tensor | None, reverse: bool) -> None:
    torch.manual_seed(1)
    cell = cell_named(name, {"window": 2} if name == "qrnn" else {})
    assert isinstance(cell, ElementwiseCell)
    shapes = cell.parameters(2, 3)
    weights = {
        key: torch.randn(shape, dtype=torch.float64, requires_grad=True) for key, shape in shapes.items()
    }
    state = tuple(
        torch.randn(1, 3, size, dtype=torch.float64, requires_grad=True) for size in cell.state_sizes(3)
    )
    inputs = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    results = []
    for scans in (StepScans(cell, lengths, inputs), ElementwiseScans(cell, lengths, inputs, on_device=True)):
        outputs, final = scans.scan(scans.enter(inputs), state, weights, reverse)
        parts = [scans.leave([outputs]), *final]
        torch.manual_seed(2)
        total = torch.stack([(part * torch.randn_like(part)).sum() for part in parts]).sum()
        results.append([*parts, *torch.autograd.grad(total, [inputs, *state, *weights.values()])])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)

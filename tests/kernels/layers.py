"""One recurrent layer, by PyTorch with ``PackedSequence`` and by the fused scans, with all gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnlab.cells import cell_named
from rnnlab.cells.cell import TorchCell
from rnnlab.kernels.scans import FusedScans, kernels_named

KINDS = ("tanh", "relu", "gru", "lstm")


@dataclass
class Case:
    """A layer, what it reads, and the gradients that flow back into it."""

    kind: str
    network: nn.RNNBase
    inputs: Tensor
    lengths: Tensor
    states: list[Tensor]
    outputs_slope: Tensor
    final_slopes: list[Tensor]
    reverse: bool = False

    @property
    def weights(self) -> dict[str, Tensor]:
        parameters = self.network.all_weights[1 if self.reverse else 0]
        return dict(zip(cell_of(self.kind).parameters(1, 1), parameters, strict=True))


def cell_of(kind: str) -> TorchCell:
    cell = cell_named("rnn", {"nonlinearity": kind}) if kind in ("tanh", "relu") else cell_named(kind)
    assert isinstance(cell, TorchCell)
    return cell


def scans_of(kind: str, lengths: Tensor | None, inputs: Tensor) -> FusedScans:
    return FusedScans(kernels_named(str(cell_of(kind).fused)), lengths, inputs, cell_of(kind).torch_step)


def case_of(
    kind: str,
    lengths: list[int],
    input_size: int = 5,
    hidden_size: int = 9,
    dtype: torch.dtype = torch.float64,
    reverse: bool = False,
) -> Case:
    torch.manual_seed(len(lengths) + hidden_size)
    batch, time = len(lengths), max(lengths)
    cell = cell_of(kind)
    count = len(cell.states)
    return Case(
        kind,
        cell.torch_module(input_size, hidden_size, batch_first=True, bidirectional=True, dtype=dtype),
        torch.randn(batch, time, input_size, dtype=dtype, requires_grad=True),
        torch.tensor(lengths),
        [torch.randn(1, batch, hidden_size, dtype=dtype, requires_grad=True) for _ in range(count)],
        torch.randn(batch, time, hidden_size, dtype=dtype),
        [torch.randn(1, batch, hidden_size, dtype=dtype) for _ in range(count)],
        reverse,
    )


def fused(case: Case) -> list[Tensor]:
    """Return outputs and final states by the fused scan."""
    scans = scans_of(case.kind, case.lengths, case.inputs)
    outputs, final = scans.scan(case.inputs, tuple(case.states), case.weights, case.reverse)
    return [outputs, *final]


def packed(case: Case) -> list[Tensor]:
    """Return outputs and final states of one direction by PyTorch."""
    direction = 1 if case.reverse else 0
    both = tuple(torch.cat((state, state)) for state in case.states)
    sequences = pack_padded_sequence(case.inputs, case.lengths, batch_first=True, enforce_sorted=False)
    outputs, finals = cell_of(case.kind).torch_run(case.network, sequences, both)
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=case.inputs.shape[1])
    hidden = case.network.hidden_size
    return [
        padded[..., direction * hidden : (direction + 1) * hidden],
        *(part[direction : direction + 1] for part in finals),
    ]


def gradients(results: list[Tensor], case: Case) -> list[Tensor]:
    """Return the gradients of inputs, initial states and weights."""
    wanted = [case.inputs, *case.states, *case.weights.values()]
    return list(torch.autograd.grad(results, wanted, [case.outputs_slope, *case.final_slopes]))


def all_of(case: Case) -> list[Tensor]:
    """Return whatever the fused scan computes for a case, to be compared bit for bit."""
    results = fused(case)
    return [*(result.detach() for result in results), *gradients(results, case)]

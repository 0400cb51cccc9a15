"""One recurrent layer, by PyTorch with ``PackedSequence`` and by the fused scans, with all gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnlab.kernels.scans import FusedScans

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
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        parameters = self.network.all_weights[1 if self.reverse else 0]
        return parameters[0], parameters[1], parameters[2], parameters[3]


def network_of(kind: str, input_size: int, hidden_size: int, dtype: torch.dtype) -> nn.RNNBase:
    options = {"batch_first": True, "bidirectional": True, "dtype": dtype}
    if kind in ("tanh", "relu"):
        return nn.RNN(input_size, hidden_size, nonlinearity=kind, **options)
    network: nn.RNNBase = {"gru": nn.GRU, "lstm": nn.LSTM}[kind](input_size, hidden_size, **options)
    return network


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
    count = 2 if kind == "lstm" else 1
    return Case(
        kind,
        network_of(kind, input_size, hidden_size, dtype),
        torch.randn(batch, time, input_size, dtype=dtype, requires_grad=True),
        torch.tensor(lengths),
        [torch.randn(1, batch, hidden_size, dtype=dtype, requires_grad=True) for _ in range(count)],
        torch.randn(batch, time, hidden_size, dtype=dtype),
        [torch.randn(1, batch, hidden_size, dtype=dtype) for _ in range(count)],
        reverse,
    )


def fused(case: Case) -> list[Tensor]:
    """Return outputs and final states by the fused scan."""
    state = case.states[0] if len(case.states) == 1 else (case.states[0], case.states[1])
    scans = FusedScans(case.kind, case.lengths, case.inputs)
    outputs, final = scans.scan(case.inputs, state, case.weights, case.reverse)
    return [outputs, *(final if isinstance(final, tuple) else (final,))]


def packed(case: Case) -> list[Tensor]:
    """Return outputs and final states of one direction by PyTorch."""
    direction = 1 if case.reverse else 0
    both = [torch.cat((state, state)) for state in case.states]
    sequences = pack_padded_sequence(case.inputs, case.lengths, batch_first=True, enforce_sorted=False)
    outputs, final = case.network(sequences, both[0] if len(both) == 1 else tuple(both))
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=case.inputs.shape[1])
    hidden = case.network.hidden_size
    finals = final if isinstance(final, tuple) else (final,)
    return [
        padded[..., direction * hidden : (direction + 1) * hidden],
        *(part[direction : direction + 1] for part in finals),
    ]


def gradients(results: list[Tensor], case: Case) -> list[Tensor]:
    """Return the gradients of inputs, initial states and weights."""
    wanted = [case.inputs, *case.states, *case.weights]
    return list(torch.autograd.grad(results, wanted, [case.outputs_slope, *case.final_slopes]))


def all_of(case: Case) -> list[Tensor]:
    """Return whatever the fused scan computes for a case, to be compared bit for bit."""
    results = fused(case)
    return [*(result.detach() for result in results), *gradients(results, case)]

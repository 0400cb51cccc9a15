"""Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000), as ``nn.LSTM``.

From the state h, the memory c and the input x, with * for the product of elements and s for the sigmoid::

    i = s(W_ii x + b_ii + W_hi h + b_hi)            input gate
    f = s(W_if x + b_if + W_hf h + b_hf)            forget gate
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)         the candidate
    o = s(W_io x + b_io + W_ho h + b_ho)            output gate
    c' = f * c + i * g
    h' = o * tanh(c')

Two variants as Greff et al. (2017) compare them:

- peepholes (Gers and Schmidhuber 2000): the gates see the memory, each unit its own, ``p_i * c`` and
  ``p_f * c`` inside the sigmoids of i and f, ``p_o * c'`` inside that of o;
- coupled gates: ``i = 1 - f``, so that what is let in makes room for itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rnnlab.cells.cell import FEW_STEPS, Nodes, OnnxOperator, State, Step, TorchCell, Weights

LARGEST_FUSED = 128
PADDING_THAT_PAYS = 1 / 6


@dataclass(frozen=True)
class Lstm(TorchCell):
    """``model.cell=lstm``: ``4 hidden (input + hidden + 2)`` parameters.

    Args:
        peepholes: whether the gates see the memory: ``hidden`` parameters more a gate.
        coupled: whether the input gate is what the forget gate leaves: a quarter of the parameters fewer.
    """

    peepholes: bool = False
    coupled: bool = False

    name = "lstm"
    states = ("hidden", "memory")
    remembering_gate = "forget"
    year = 1997
    colour = "#0072B2"
    module = nn.LSTM
    keeps_outputs = True  # oneDNN's backward pass reads them
    is_driven = True

    @property
    def blocks(self) -> tuple[str, ...]:  # type: ignore[override]
        """Three gates and the candidate; coupled, no input gate."""
        every = ("input", "forget", "candidate", "output")
        return every[1:] if self.coupled else every

    @property
    def fused(self) -> str | None:  # type: ignore[override]
        """The kernels of ``kernels/lstm.py``, which know no variant."""
        return "rnnlab.kernels.lstm.SCAN" if self.in_torch else None

    @property
    def in_torch(self) -> TorchCell | None:
        """The cell itself; PyTorch has neither peepholes nor coupled gates."""
        return None if self.peepholes or self.coupled else self

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes as the module has them; with peepholes ``peepholes (gates * hidden,)``."""
        shapes = super().parameters(input_size, hidden_size)
        gates = len(self.blocks) - 1
        return {**shapes, "peepholes": (gates * hidden_size,)} if self.peepholes else shapes

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step; see the equations above."""
        hidden, memory = states
        total = given + hidden @ weights["weight_hh"].T + weights["bias_hh"]
        parts = dict(zip(self.blocks, total.chunk(len(self.blocks), dim=1), strict=True))
        candidate = torch.tanh(parts.pop("candidate"))
        peeping = {}
        if self.peepholes:
            peeping = dict(zip(parts, weights["peepholes"].chunk(len(parts)), strict=True))

        def gate(name: str, seen: Tensor) -> Tensor:
            return torch.sigmoid(parts[name] + peeping[name] * seen if peeping else parts[name])

        forget = gate("forget", memory)
        enter = 1 - forget if self.coupled else gate("input", memory)
        new = forget * memory + enter * candidate
        leave, shown = gate("output", new), torch.tanh(new)
        gates = {"input": enter, "forget": forget, "output": leave}
        return Step((leave * shown, new), gates, {"candidate": candidate, "memory": shown})

    def fused_is_faster(self, hidden_size: int, time: int, padding: float, is_mixed: bool = False) -> bool:
        """Return whether the fused scan is faster than PyTorch's, which on a CPU is oneDNN's.

        On full batches the fused scan wins up to 128 units (about 1.9 times) and is level or behind above;
        where a sixth of the batch is padding, which it does not compute, it wins again. oneDNN's products in
        bfloat16 win in mixed precision.
        """
        pays = hidden_size <= LARGEST_FUSED or padding > PADDING_THAT_PAYS
        return time >= FEW_STEPS and not is_mixed and pays

    @property
    def functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """PyTorch's functions over all steps, and over one."""
        return torch.lstm, torch.lstm_cell

    def padding_drive(self, weight_ih: Tensor) -> Tensor:
        """Shut the input gate in the padding and open the forget gate.

        With i = 0 and f = 1, ``c' = f c + i g`` stays what it was at the last token, and its gradient flows
        back unchanged.
        """
        drive = weight_ih.new_zeros(len(weight_ih), 1)
        enter, forget, _, _ = drive.chunk(4)
        enter.fill_(-1e4)
        forget.fill_(1e4)
        return drive

    def onnx_operator(self, directions: int) -> OnnxOperator | None:
        """``LSTM``, of which the gates are in the order i o f c; of the variants none is written."""
        return OnnxOperator("LSTM", (0, 3, 1, 2)) if self.in_torch else None

    def onnx_step(
        self, body: Nodes, given: str, recurrent: str, states: Sequence[str], bias: Tensor
    ) -> list[str] | None:
        """Add ``c' = f c + i g`` and ``h' = o tanh(c')``; of the variants none is written."""
        if self.in_torch is None:
            return None
        gates = body.add_several("Split", body.add("Add", given, recurrent), names=4, axis=1)
        let_in, kept, let_out = (body.add("Sigmoid", gates[at]) for at in (0, 1, 3))
        new = body.add("Mul", let_in, body.add("Tanh", gates[2]))
        memory = body.add("Add", body.add("Mul", kept, states[1]), new)
        return [body.add("Mul", let_out, body.add("Tanh", memory)), memory]

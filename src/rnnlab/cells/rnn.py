"""The simple recurrent network (Elman 1990), as ``nn.RNN``, with tanh or rectified units.

From the state h and the input x::

    h' = tanh(W_i x + b_i + W_h h + b_h)            or max(0, ...)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rnnlab.cells.cell import Nodes, OnnxOperator, State, Step, TorchCell, Weights
from rnnlab.errors import ConfigError, nearest
from rnnlab.kernels.elman import can_walk, elman_walk

NONLINEARITIES = ("tanh", "relu")


@dataclass(frozen=True)
class Rnn(TorchCell):
    """``model.cell=rnn``.

    Args:
        nonlinearity: "tanh" or "relu".

    Raises:
        ConfigError: if it is neither.
    """

    nonlinearity: str = "tanh"

    name = "rnn"
    initializations = ("uniform", "orthogonal", "identity")
    year = 1990
    colour = "#D55E00"
    module = nn.RNN
    keeps_outputs = True  # elman_walk's backward pass reads them

    def __post_init__(self) -> None:
        if self.nonlinearity not in NONLINEARITIES:
            raise ConfigError(
                f"model.nonlinearity={self.nonlinearity} is unknown. "
                f"{nearest(str(self.nonlinearity), NONLINEARITIES)}"
            )

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step; see the equation above."""
        total = given + states[0] @ weights["weight_hh"].T + weights["bias_hh"]
        if self.nonlinearity == "relu":
            return Step((torch.relu(total),))
        hidden = torch.tanh(total)
        return Step((hidden,), squashed={"hidden": hidden})

    @property
    def fused(self) -> str:  # type: ignore[override]
        """The kernels of ``kernels/rnn.py``."""
        return f"rnnlab.kernels.rnn.{self.nonlinearity.upper()}"

    @property
    def module_options(self) -> dict[str, Any]:
        """The module has both nonlinearities."""
        return {"nonlinearity": self.nonlinearity}

    @property
    def functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """PyTorch's functions over all steps, and over one."""
        if self.nonlinearity == "relu":
            return torch.rnn_relu, torch.rnn_relu_cell
        return torch.rnn_tanh, torch.rnn_tanh_cell

    def torch_scan(self, inputs: Tensor, states: State, weights: Weights) -> tuple[Tensor, State]:
        """Walk one layer in one direction; in training by backpropagation through time of our own."""
        if not can_walk(inputs):
            return super().torch_scan(inputs, states, weights)
        rectified = self.nonlinearity == "relu"
        return elman_walk(inputs, states[0], tuple(weights.values()), rectified), ()  # type: ignore[arg-type]

    def scan_beats_module(self, inputs: Tensor) -> bool:
        """Return whether training goes by :func:`rnnlab.kernels.elman.elman_walk`."""
        return can_walk(inputs)

    @property
    def is_driven(self) -> bool:
        """A rectified state could grow without bound in the padding and turn a zero gradient into 0 * inf."""
        return self.nonlinearity == "relu"

    def padding_drive(self, weight_ih: Tensor) -> Tensor:
        """Make a rectified state 0 in the padding."""
        return weight_ih.new_full((len(weight_ih), 1), -torch.finfo(weight_ih.dtype).max / 4)

    def onnx_operator(self, directions: int) -> OnnxOperator:
        """``RNN``."""
        return OnnxOperator("RNN", (0,), {"activations": [self.nonlinearity.capitalize()] * directions})

    def onnx_step(
        self, body: Nodes, given: str, recurrent: str, states: Sequence[str], bias: Tensor
    ) -> list[str]:
        """Add ``tanh(x + h)`` or ``max(0, x + h)``."""
        return [body.add(self.nonlinearity.capitalize(), body.add("Add", given, recurrent))]

"""What a recurrent cell is: parameters, states, and one step in time, from which everything else follows.

A cell is a description without numbers of its own; the encoder keeps the parameters and hands them in. From
``step`` come the scan over a batch on any device (exact under padding, differentiable twice, one direction or
both), generation a token at a time, what diagnostics look at, and the tests of everything faster. A cell of
your own is a class with that one method, named as ``model.cell=my_module.MyCell``; in this folder a file with
one such class is found by its name, ``model.cell=<file>``.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from rnnlab.errors import ConfigError, nearest

State = tuple[Tensor, ...]
"""A tensor for each of a cell's states."""

Weights = Mapping[str, Tensor]
"""The parameters of one layer in one direction, by their names and in their order in ``Cell.parameters``."""

INITIALIZATIONS = ("uniform", "orthogonal", "identity")
FEW_STEPS = 8
LARGEST_MIXED = 256


class Step(NamedTuple):
    """What one time step computes, each ``(batch, hidden)``.

    Attributes:
        states: the new states.
        gates: what a figure shows of gates, between 0 and 1, by name.
        squashed: what came out of a tanh, between -1 and 1, by name.
        reading: how the output is read from the first state, where it is not that state itself.
    """

    states: State
    gates: Mapping[str, Tensor] = {}
    squashed: Mapping[str, Tensor] = {}
    reading: Callable[[Tensor], Tensor] | None = None

    @property
    def output(self) -> Tensor:
        """What the layer above gets."""
        return self.states[0] if self.reading is None else self.reading(self.states[0])


class Terms(NamedTuple):
    """What an elementwise cell's state becomes at each token: ``decay * state + drive``.

    Attributes:
        decay: ``(..., hidden)``, or ``(hidden,)`` where it is the same at every token; of a complex cell real
            parts, then imaginary parts.
        drive: ``(..., hidden)``, likewise.
        gates: see :class:`Step`.
        squashed: see :class:`Step`.
    """

    decay: Tensor
    drive: Tensor
    gates: Mapping[str, Tensor] = {}
    squashed: Mapping[str, Tensor] = {}


class OnnxOperator(NamedTuple):
    """A recurrent operator of ONNX's own.

    Attributes:
        name: such as ``GRU``.
        gates: the places of the cell's blocks in the operator's order.
        options: its attributes, besides hidden size and direction.
    """

    name: str
    gates: tuple[int, ...]
    options: Mapping[str, Any] = {}


class Nodes(Protocol):
    """An ONNX graph while it is written; results are called by name."""

    def add(self, operator: str, *inputs: str, **options: Any) -> str:
        """Add a node with one result."""
        ...

    def add_several(
        self, operator: str, *inputs: str, names: Sequence[str] | int, **options: Any
    ) -> list[str]:
        """Add a node with several results."""
        ...

    def constant(self, values: Any) -> str:
        """Add a constant."""
        ...


class Cell(ABC):
    """One kind of recurrent layer, described.

    A subclass says ``step``, and whatever differs from these defaults::

        class MinimalGRU(Cell):                      # gates that see the inputs alone
            blocks = ("update", "candidate")
            is_elementwise = True

            def step(self, given, states, weights):
                (hidden,), (update, candidate) = states, given.chunk(2, dim=1)
                update = torch.sigmoid(update)
                return Step(((1 - update) * hidden + update * candidate,), {"update": update})

    Options that a constructor takes are keys of ``model``.
    """

    name: ClassVar[str]
    """What messages and figures call it; the class's name where it says none."""
    blocks: tuple[str, ...] = ("hidden",)
    """The blocks of ``hidden`` rows in its matrices, from top to bottom: gates, candidates."""
    states: tuple[str, ...] = ("hidden",)
    """What goes from step to step; the first is the output, unless :meth:`step` says how that is read."""
    is_elementwise: ClassVar[bool] = False
    """Whether gates and candidates see the inputs alone: one product for all tokens, no ``weight_hh``."""
    remembering_gate: str | None = None
    """The block of the gate that keeps the state where it is open: where ``model.forget_bias`` goes."""
    initializations: tuple[str, ...] = ("uniform", "orthogonal")
    """How its recurrent matrices may start, see :meth:`initialize`."""
    bias_apart: ClassVar[tuple[str, ...]] = ()
    """Blocks whose recurrent bias is not simply added to that of the inputs."""
    multiple_of: int = 1
    """Of what its hidden sizes are multiples, such as the number of its heads."""
    fused: str | None = None
    """The dotted name of its :class:`rnnlab.kernels.entry.ScanKernels`; None without a fused scan."""
    year: ClassVar[int] = 9999
    """Of the paper: the order in which figures show cells."""
    colour: ClassVar[str | None] = None
    """In every figure."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def __repr__(self) -> str:
        return self.name

    @property
    def in_torch(self) -> "TorchCell | None":
        """The cell as PyTorch has it; None where it has none, or none with these options."""
        return None

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]:
        """Return the width of each state; that of the first is the output's, see :meth:`output_size`."""
        return (hidden_size,) * len(self.states)

    def output_size(self, hidden_size: int) -> int:
        """Return the width of the output."""
        return self.state_sizes(hidden_size)[0]

    def in_training(self) -> "Cell":
        """Return the cell as it is while it trains: another one where chance is part of its equations."""
        return self

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of one layer's parameters in one direction, by name.

        ``weight_ih (blocks * hidden, input)``, ``weight_hh (blocks * hidden, hidden)`` unless the cell is
        elementwise, ``bias_ih (blocks * hidden,)``.
        """
        rows = len(self.blocks) * hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size)}
        if not self.is_elementwise:
            shapes["weight_hh"] = (rows, hidden_size)
        return {**shapes, "bias_ih": (rows,)}

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        """Return what the inputs give to every step, ``(batch, time, ...)``, in one product for all tokens.

        Args:
            inputs: ``(batch, time, input)`` in the order of reading, zeros in the padding.
            weights: of the layer and direction.
        """
        return linear(inputs, *self.projection(weights))

    def projection(self, weights: Weights) -> tuple[Tensor, Tensor | None]:
        """Return the matrix of that product, ``(rows, input)``, and what is added, ``(rows,)``."""
        return weights["weight_ih"], weights.get("bias_ih")

    @abstractmethod
    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step: the statement of the cell's equations.

        Args:
            given: of :meth:`project` at this step, ``(batch, blocks * hidden)``.
            states: before it, ``(batch, hidden)`` each.
            weights: of the layer and direction.
        """

    def recurrent_matrices(self, weights: Weights) -> dict[str, Tensor]:
        """Return the square matrices ``(hidden, hidden)`` that take the state to the next step, by block."""
        if "weight_hh" not in weights:
            return {}
        matrix = weights["weight_hh"]
        return dict(zip(self.blocks, torch.split(matrix, matrix.shape[1]), strict=True))

    @property
    def dropped(self) -> str:
        """The parameter of which ``weight_dropout`` drops entries.

        Of a cell without a recurrent matrix it is that of the inputs, as AWD's recipe has it for QRNN.
        """
        return "weight_ih" if self.is_elementwise else "weight_hh"

    def check_start(self, initialization: str, forget_bias: float | None) -> None:
        """Check that the cell can start so.

        Raises:
            ConfigError: if the name is unknown, or the cell has no use for it.
        """
        if initialization not in INITIALIZATIONS:
            raise ConfigError(
                f"model.initialization={initialization} is unknown. "
                f"{nearest(str(initialization), INITIALIZATIONS)}"
            )
        if initialization == "orthogonal" and "weight_hh" not in self.parameters(1, 1):
            raise ConfigError(
                f"model.initialization=orthogonal: the {self.name} cell has no recurrent matrix to start so."
            )
        if initialization not in self.initializations:
            instead = "has gates for the same end: model.forget_bias=1"
            if self.remembering_gate is None:
                instead = "starts in its own way"
            raise ConfigError(
                "model.initialization=identity is for the rnn cell with rectified units (Le et al. 2015; "
                f"model=irnn); the {self.name} {instead}."
            )
        if forget_bias is not None and self.remembering_gate is None:
            raise ConfigError(
                f"model.forget_bias={forget_bias}: the {self.name} cell has no gate that forgets. "
                "Leave it at null."
            )

    @torch.no_grad()
    def initialize(self, weights: Weights, initialization: str, forget_bias: float | None) -> None:
        """Start the weights of one layer and direction, which are uniform already.

        - ``uniform``: within plus and minus ``1 / sqrt(hidden)``, as PyTorch makes them; the spectral radius
          of a recurrent block is then about 0.58.
        - ``orthogonal``: each recurrent block a random orthogonal matrix, all eigenvalues on the unit circle
          (Saxe et al. 2014).
        - ``identity``: the recurrent matrix the identity, the biases zero, the input weights normal with a
          deviation of 0.001; with rectified units, the IRNN of Le et al. 2015.

        Args:
            weights: changed in place.
            initialization: one of the above.
            forget_bias: the bias at which the gate that keeps the state starts (an LSTM's forget gate, 1 in
                Jozefowicz et al. 2015; a GRU's update gate); None leaves it as it is.
        """
        if initialization == "orthogonal":
            for block in self.recurrent_matrices(weights).values():
                nn.init.orthogonal_(block)
        elif initialization == "identity":
            nn.init.eye_(weights["weight_hh"])
            nn.init.normal_(weights["weight_ih"], std=0.001)
            for name in ("bias_ih", "bias_hh"):
                nn.init.zeros_(weights[name])
        if forget_bias is not None:
            self._gate(weights["bias_ih"]).fill_(forget_bias)
            if "bias_hh" in weights:
                self._gate(weights["bias_hh"]).zero_()  # the two are added

    def _gate(self, bias: Tensor) -> Tensor:
        """Return the part of a bias that belongs to the gate that keeps the state."""
        return bias.chunk(len(self.blocks))[self.blocks.index(cast(str, self.remembering_gate))]

    def fused_is_faster(self, hidden_size: int, time: int, padding: float, is_mixed: bool = False) -> bool:
        """Return whether the fused scan is faster than PyTorch's kernels on a CPU.

        Measured by ``scripts/benchmark.py kernels=true`` and short scans of the same kind (two cores with
        AVX-512, torch 2.15, forward and backward): RNN and GRU win from 32 to 650 units, 3.5 to 5 times at 32
        and 1.5 to 2.5 times at 650. In mixed precision (bfloat16, on a processor with units for it) the
        fused scans go on in float32, and win up to 256 units: 2.8 and 5 times at 32, 1.8 and 1.9 times at
        128. Over a few time steps PyTorch's one call has less to set up.

        Args:
            hidden_size: units of the layer.
            time: steps of the longest sequence.
            padding: share of the batch's positions that hold no token.
            is_mixed: whether ``torch.autocast`` is on, and the processor faster in bfloat16.
        """
        return time >= FEW_STEPS and (not is_mixed or hidden_size <= LARGEST_MIXED)

    def operations_per_token(self, input_size: int, hidden_size: int) -> int:
        """Return the multiplications and additions of one token's products with the layer's matrices.

        No gate's nonlinearity counts: a share of the machine's rate reckoned so is on the low side.
        """
        shapes = self.parameters(input_size, hidden_size).values()
        return 2 * sum(math.prod(shape) for shape in shapes if len(shape) == 2)

    def onnx_operator(self, directions: int) -> OnnxOperator | None:
        """Return ONNX's own operator for so many directions; None where it has none."""
        return None

    def onnx_step(
        self, body: Nodes, given: str, recurrent: str, states: Sequence[str], bias: Tensor
    ) -> list[str] | None:
        """Add one step to the body of a loop over time, for arithmetic that ONNX's operators lack (int8).

        Args:
            body: of the loop.
            given: the name of what :meth:`project` gives, all biases added that only add up.
            recurrent: of the product of the hidden state with ``weight_hh``.
            states: before the step.
            bias: ``(blocks * hidden,)`` the recurrent bias of the blocks in ``bias_apart``, zero elsewhere.

        Returns:
            The names of the states after the step; None where the cell can't be written so.
        """
        return None


class ElementwiseCell(Cell):
    """A cell whose state is scaled and added to, number by number, by what the inputs alone decide.

    With the state c, and a and b computed of the inputs (``terms``)::

        c_t = a_t * c_(t-1) + b_t

    So all products are made for all tokens at once (``project``), and what is left is a scan over numbers,
    which rnnlab has once for all such cells: ``kernels/elementwise.py`` on a CPU, ``kernels/device_scan.py``
    on CUDA. A subclass says ``terms``, and ``read`` where the output is not the state.
    """

    is_elementwise = True
    initializations: tuple[str, ...] = ("uniform",)
    is_complex: ClassVar[bool] = False
    """Whether a state's numbers are complex: all real parts, then all imaginary parts."""
    looks_back: bool = False
    """Whether the second half of what :meth:`project` gives belongs to the token read next. Its state
    ``previous`` hands it on from one window of a text to the next."""
    fused: str | None = "rnnlab.kernels.elementwise_gates.REAL"
    """The dotted name of its :class:`rnnlab.kernels.elementwise.ElementwiseKernels`."""

    def division(self, width: int) -> int | None:
        """Return how much of what :meth:`project` gives is for :meth:`terms`; the rest is for :meth:`read`.

        None: both are given all of it.

        Args:
            width: of what it gives.
        """
        return None

    def divided(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Return what :meth:`terms` and what :meth:`read` is given, ``(..., width)``."""
        width = given.shape[-1]
        at = self.division(width)
        if at is None:
            return given, given
        of_terms, of_read = torch.split(given, [at, width - at], dim=-1)
        return of_terms, of_read

    @abstractmethod
    def terms(self, given: Tensor, weights: Weights) -> Terms:
        """Return by what the state is scaled, and what is added to it, of any number of tokens.

        Args:
            given: of :meth:`divided`, ``(..., width)``.
            weights: of the layer and direction.
        """

    def read(self, hidden: Tensor, given: Tensor, weights: Weights) -> Tensor:
        """Return the output of any number of tokens, ``(..., output)``: here the state after them.

        Args:
            hidden: the first state after each token.
            given: of :meth:`divided`, ``(..., width)``.
            weights: of the layer and direction.
        """
        return hidden

    def step(self, given: Tensor, states: State, weights: Weights) -> Step:
        """Compute one time step, ``decay * state + drive``."""
        others: State = ()
        if self.looks_back:
            now, coming = given.chunk(2, dim=1)
            given, others = now + states[1], (coming,)
        moving, beside_it = self.divided(given)
        decay, drive, gates, squashed = self.terms(moving, weights)
        hidden = scaled(states[0], decay, self.is_complex) + drive
        return Step((hidden, *others), gates, squashed, lambda state: self.read(state, beside_it, weights))

    def fused_is_faster(self, hidden_size: int, time: int, padding: float, is_mixed: bool = False) -> bool:
        """Return whether the fused scan is the faster: wherever there is more than one step to take."""
        return time > 1


def scaled(state: Tensor, decay: Tensor, is_complex: bool) -> Tensor:
    """Return ``decay * state``, number by number.

    Args:
        state: ``(..., width)``.
        decay: the same, or ``(width,)``.
        is_complex: whether the first half are real parts, the second imaginary parts.
    """
    if not is_complex:
        return decay * state
    (real, imaginary), (decay_real, decay_imaginary) = state.chunk(2, dim=-1), decay.chunk(2, dim=-1)
    parts = (
        decay_real * real - decay_imaginary * imaginary,
        decay_real * imaginary + decay_imaginary * real,
    )
    return torch.cat(parts, dim=-1)


class TorchCell(Cell):
    """A cell that PyTorch has, too: its module and its functions are there to be called."""

    module: ClassVar[Callable[..., nn.RNNBase]]
    """Such as ``nn.GRU``."""
    keeps_outputs: ClassVar[bool]
    """Whether autograd keeps what :meth:`torch_scan` returns for its own use: it must not be written to."""

    @property
    def in_torch(self) -> "TorchCell | None":
        """The cell itself."""
        return self

    @property
    def module_options(self) -> dict[str, Any]:
        """More arguments of the module."""
        return {}

    @property
    @abstractmethod
    def functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """PyTorch's function over all steps, such as ``torch.gru``, and over one, ``torch.gru_cell``."""

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes as the module has them: a second bias beside the recurrent matrix."""
        shapes = super().parameters(input_size, hidden_size)
        return {**shapes, "bias_hh": shapes["bias_ih"]}

    def torch_module(self, input_size: int, hidden_size: int, **options: Any) -> nn.RNNBase:
        """Return PyTorch's module; ``options`` as it takes them (``num_layers``, ``batch_first``...)."""
        return self.module(input_size, hidden_size, **self.module_options, **options)

    def torch_run(self, module: nn.RNNBase, inputs: Any, state: State | None) -> tuple[Any, State]:
        """Call a module of :meth:`torch_module`, which has a tensor for a single state."""
        given = state if state is None or len(self.states) > 1 else state[0]
        outputs, final = module(inputs, given)
        return outputs, final if isinstance(final, tuple) else (final,)

    def torch_scan(self, inputs: Tensor, states: State, weights: Weights) -> tuple[Tensor, State]:
        """Walk one layer in one direction by PyTorch.

        Args:
            inputs: ``(time, batch, input)``.
            states: before the first step, ``(1, batch, hidden)`` each.
            weights: of the layer and direction.

        Returns:
            Outputs ``(time, batch, hidden)``, and the states after the last step but the hidden one.
        """
        given = states if len(states) > 1 else states[0]
        options = (True, 1, 0.0, torch.is_grad_enabled(), False, False)
        outputs, _, *others = self.functions[0](inputs, given, tuple(weights.values()), *options)
        return outputs, tuple(others)

    def torch_step(self, token: Tensor, states: State, weights: Weights) -> State:
        """Return the states after one step: nothing to fuse, and PyTorch's cells are quick.

        Args:
            token: ``(batch, input)``.
            states: before it, ``(batch, hidden)`` each.
            weights: of the layer and direction.
        """
        given = states if len(states) > 1 else states[0]
        after = self.functions[1](token, given, *weights.values())
        return after if isinstance(after, tuple) else (after,)

    def scan_beats_module(self, inputs: Tensor) -> bool:
        """Return whether :meth:`torch_scan` is faster than the module even without padding."""
        return False

    @property
    def is_driven(self) -> bool:
        """Whether :meth:`torch_scan` needs an input that is 1 in the padding and 0 elsewhere."""
        return False

    def padding_drive(self, weight_ih: Tensor) -> Tensor:
        """Return that input's weights ``(blocks * hidden, 1)``.

        They drive gates to their exact limits: what is not read from the outputs outlives the padding.

        Raises:
            ConfigError: of a cell that says that it is driven and not by what.
        """
        raise ConfigError(
            f"{type(self).__name__}.is_driven is true: then padding_drive must return the weights that drive "
            "it through the padding."
        )

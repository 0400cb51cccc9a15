"""What walks a batch: PyTorch's kernels, rnnlab's fused scans, or the cell's own step.

Scans of elementwise cells are one product for all tokens, then one walk over numbers. Padding is left out:
tokens lie row by row, ``(tokens, features)``, so what stands behind a sequence's end is neither multiplied
nor read.
"""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from rnnlab.cells.cell import Cell, ElementwiseCell, State, Weights
from rnnlab.data.batch import beside
from rnnlab.encoder.padding import put_back, taken_out
from rnnlab.encoder.scans import Scans, StepScans, TorchScans
from rnnlab.errors import ConfigError, nearest
from rnnlab.kernels.compiler import waiting
from rnnlab.processors import bfloat16_is_faster


class ElementwiseScans:
    """Walks one batch, see :class:`rnnlab.encoder.scans.Scans`: compiled by numba, on CUDA by Triton.

    Args:
        cell: what is walked.
        lengths: ``(batch,)`` integers from 1 to ``time``; None where every sequence fills the time axis.
        inputs: ``(batch, time, input)``, the batch that will be walked.
        on_device: walk by the kernels of ``kernels/device_scan.py``; by default off the CPU.
    """

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __init__(
        self, cell: ElementwiseCell, lengths: Tensor | None, inputs: Tensor, on_device: bool | None = None
    ) -> None:
        self._cell = cell
        self._batch, self._time, _ = inputs.shape
        self._chosen: Tensor | None = None
        if lengths is None:
            lengths = torch.full((self._batch,), self._time)
        else:
            is_real = torch.arange(self._time) < lengths.cpu().unsqueeze(1)
            self._chosen = beside(is_real.flatten().nonzero().squeeze(1), inputs)
        self._lengths = lengths.cpu()
        self._lengths_there = beside(self._lengths, inputs)
        self._last = beside(self._lengths.cumsum(0) - 1, inputs)
        self._first = self._last - self._lengths_there + 1
        self._on_device = inputs.device.type != "cpu" if on_device is None else on_device

    def enter(self, inputs: Tensor) -> Tensor:
        """Return the tokens of ``inputs (batch, time, input)``, row by row: ``(tokens, input)``."""
        flat = inputs.flatten(0, 1)
        return flat if self._chosen is None else taken_out(flat, self._chosen)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def scan(self, inputs: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
        """Walk one layer in one direction over ``inputs (tokens, input)``."""
        dtype = next(iter(weights.values())).dtype  # under autocast products may be narrower
        before, *others = (part[0].to(dtype) for part in state)
        kernels = None if self._on_device else kernels_named(str(self._cell.fused))
        has_gates = kernels is not None and kernels.has_gates
        multiplied = {name: part for name, part in weights.items() if not has_gates or name != "bias_ih"}
        given, beside_it, *others = self._given(inputs, multiplied, others, reverse)
        if has_gates:
            bias = weights["bias_ih"].unsqueeze(0)
            outputs, final = self._walked(kernels, given.to(dtype), bias, before, reverse)
        else:
            decay, drive, *_ = self._cell.terms(given, weights)
            decay, drive = decay.reshape(-1, decay.shape[-1]).to(dtype), drive.to(dtype)
            hidden, final = self._walked(kernels, drive, decay, before, reverse)
            outputs = self._cell.read(hidden, beside_it, weights)
        return outputs, tuple(part.unsqueeze(0) for part in (final, *others))

    def _given(
        self, inputs: Tensor, weights: Weights, others: Sequence[Tensor], reverse: bool
    ) -> tuple[Tensor, ...]:
        """Return what the inputs give to terms and to reading, ``(tokens, ...)``, and the other states."""
        cell = self._cell
        is_own = type(cell).project is not Cell.project
        if is_own or self._on_device or cell.looks_back or torch.is_autocast_enabled("cpu"):
            whole = cell.project(inputs.unsqueeze(0), weights).squeeze(0)
            if cell.looks_back:
                whole, *others = self._looked_back(whole, others[0], reverse)
            return (*cell.divided(whole), *others)
        matrix, bias = cell.projection(weights)
        parts = elementwise_module().product_in_parts(inputs, matrix, bias, cell.division(len(matrix)))
        return (*parts, *others)

    def join(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(tokens, features)``."""
        return torch.cat(list(directions), dim=1) if len(directions) > 1 else directions[0]

    def leave(self, directions: Sequence[Tensor]) -> Tensor:
        """Return ``(batch, time, features)`` with exact zeros in the padding."""
        tokens = self.join(directions)
        if self._chosen is not None:
            tokens = put_back(tokens, self._chosen, self._batch * self._time)
        return tokens.view(self._batch, self._time, -1)

    def _walked(
        self, kernels: Any, given: Tensor, factor: Tensor, before: Tensor, reverse: bool
    ) -> tuple[Tensor, Tensor]:
        if kernels is not None:
            module = elementwise_module()
            found: tuple[Tensor, Tensor] = module.elementwise_scan(
                kernels, module.places_of(self._lengths), reverse, given, factor, before
            )
            return found
        from rnnlab.kernels.device_scan import device_scan

        of_rows = (self._first, self._lengths_there)
        hidden = device_scan(given, factor, before, *of_rows, reverse, self._cell.is_complex)
        return hidden, hidden.index_select(0, self._first if reverse else self._last)

    def _looked_back(self, given: Tensor, previous: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
        """Return what each token and the one read before it give, and what the last one gives the next."""
        now, coming = given.chunk(2, dim=1)
        nothing = torch.zeros_like(coming[:1])
        moved = torch.cat((coming[1:], nothing) if reverse else (nothing, coming[:-1]))
        opening, ending = (self._last, self._first) if reverse else (self._first, self._last)
        moved = moved.index_copy(0, opening, previous.to(moved.dtype))
        return now + moved, coming.index_select(0, ending).to(previous.dtype)


@cache
def has_triton() -> bool:
    """Return whether Triton, which compiles the scan for CUDA, is installed."""
    return importlib.util.find_spec("triton") is not None


def elementwise_module() -> Any:
    """Return ``kernels/elementwise.py``; numba is imported only now."""
    if "rnnlab.kernels.elementwise" not in sys.modules:
        with waiting():
            importlib.import_module("rnnlab.kernels.elementwise")
    return sys.modules["rnnlab.kernels.elementwise"]


def kernels_named(name: str) -> Any:
    """Return a kind of scan, such as ``rnnlab.kernels.elementwise_gates.MINGRU``."""
    elementwise_module()
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


log = logging.getLogger(__name__)

BACKENDS = ("auto", "fused", "torch", "packed", "masked")
RAGGED = ("packed", "masked")

RAGGED_ON_GPU = "packed"
"""How PyTorch's kernels walk sequences of different lengths off the CPU, where nothing else is said.

``packed``: cuDNN's own way for all layers in one call, which skips the padding. ``masked``: the whole padded
batch, a layer and direction at a time, made exact as in :mod:`rnnlab.encoder.scans`; buckets of similar
lengths leave little padding to compute. On a CPU packing walks step by step, many times slower. Which of the
two is the faster on a GPU is measured by ``scripts/benchmark.py device=cuda``, and has not been yet.
"""

LARGE_LOOKUP = 500_000
"""Numbers in a batch's word vectors from which rnnlab's own gradient is faster than PyTorch's: 1.3 to 4 times
(two cores; 10,000 to 60,000 words of 32 to 300 numbers)."""


@cache
def can_compile() -> bool:
    """Return whether numba, which compiles the fused scans, is installed; say so once where it is not."""
    if importlib.util.find_spec("numba") is not None:
        return True
    log.warning("numba is not installed: the recurrent layers run on PyTorch's own kernels, slower on a CPU.")
    return False


def check_backend(backend: str, cell: Cell) -> None:
    """Check that the backend can be had here.

    Raises:
        ConfigError: if it is unknown, or the fused scans are asked for and the cell has none, or numba is not
            installed.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"model.backend={backend} is unknown. {nearest(str(backend), BACKENDS)}")
    if backend == "fused" and cell.fused is None:
        raise ConfigError(
            f"model.backend=fused: the {cell.name} cell has no fused scan. Use model.backend=auto."
        )
    if backend in RAGGED and cell.in_torch is None:
        raise ConfigError(
            f"model.backend={backend} is a way of PyTorch's own kernels, which lack the {cell.name} cell "
            "with these options. Use model.backend=auto."
        )
    if backend == "fused" and not can_compile():
        raise ConfigError("model.backend=fused needs numba: pip install numba, or use model.backend=auto.")


def scans_for(
    cell: Cell, backend: str, inputs: Tensor, hidden_size: int, lengths: Tensor | None
) -> Scans | None:
    """Return what walks a batch layer by layer; None where PyTorch's module takes it in one call.

    Args:
        cell: what is walked.
        backend: of :data:`BACKENDS`.
        inputs: ``(batch, time, features)``.
        hidden_size: units of the layer.
        lengths: ``(batch,)``, None where no sequence is padded.

    Raises:
        ConfigError: if ``fused`` is asked for and the numbers are not of a type that it computes in.
    """
    is_fused = takes_fused(cell, backend, inputs, hidden_size, lengths)
    if isinstance(cell, ElementwiseCell) and (is_fused or takes_device_scan(backend, inputs)):
        scans: Scans = ElementwiseScans(cell, lengths, inputs)
        return scans
    if is_fused:
        return fused_scans(cell, lengths, inputs)
    in_torch = cell.in_torch
    if in_torch is None:
        return StepScans(cell, lengths, inputs)
    if lengths is None and in_torch.scan_beats_module(inputs):
        lengths = torch.full(inputs.shape[:1], inputs.shape[1])
    if lengths is None or ragged_way(backend, inputs) == "packed":
        return None
    return TorchScans(in_torch, lengths, inputs)


def ragged_way(backend: str, inputs: Tensor) -> str:
    """Return how PyTorch's kernels walk sequences of different lengths: ``packed`` or ``masked``."""
    if backend in RAGGED:
        return backend
    return "masked" if inputs.device.type == "cpu" else RAGGED_ON_GPU


def takes_fused(cell: Cell, backend: str, inputs: Tensor, hidden_size: int, lengths: Tensor | None) -> bool:
    """Return whether the fused scans walk this batch.

    They run on a CPU in float32 or float64. ``auto`` takes them where they are the faster, which the cell
    tells (``Cell.fused_is_faster``); in mixed precision, too, although they then compute in float32: always
    where the processor is no faster in bfloat16.
    """
    if cell.fused is None or backend not in ("auto", "fused") or inputs.device.type != "cpu":
        return False
    is_mixed = torch.is_autocast_enabled("cpu")
    suits = is_mixed or inputs.dtype in (torch.float32, torch.float64)
    if backend == "fused":
        if not suits:
            raise ConfigError(
                f"model.backend=fused computes in float32 or float64, and not in {inputs.dtype}: take "
                "model.backend=auto, or trainer.precision=32-true."
            )
        return True
    if not suits or not can_compile():
        return False
    batch, time, _ = inputs.shape
    padding = 0.0 if lengths is None else 1 - int(lengths.sum()) / (batch * time)
    return cell.fused_is_faster(hidden_size, time, padding, is_mixed and bfloat16_is_faster())


def takes_device_scan(backend: str, inputs: Tensor) -> bool:
    """Return whether an elementwise cell's batch is walked by the kernels for CUDA."""
    return inputs.is_cuda and backend in ("auto", "fused") and has_triton()


def lookup_pays(tokens: Tensor, table: Tensor) -> bool:
    """Return whether rnnlab's own gradient of word vectors is worth calling for this batch.

    Args:
        tokens: ``(batch, time)``.
        table: ``(words, size)``.
    """
    is_large = tokens.numel() * table.shape[1] >= LARGE_LOOKUP
    suits = table.device.type == "cpu" and table.dtype in (torch.float32, torch.float64)
    return is_large and suits and not torch.compiler.is_compiling() and can_compile()


def fused_scans(cell: Cell, lengths: Tensor | None, inputs: Tensor) -> Scans:
    """Return the fused scans for a batch; numba is imported only now."""
    if "rnnlab.kernels.scans" not in sys.modules:
        with waiting():
            importlib.import_module("rnnlab.kernels.scans")
    from rnnlab.kernels.scans import FusedScans, kernels_named

    single_step = None if cell.in_torch is None else cell.in_torch.torch_step
    scans: Scans = FusedScans(kernels_named(str(cell.fused)), lengths, inputs, single_step)
    return scans

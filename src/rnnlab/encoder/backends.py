"""What walks a batch: PyTorch's kernels, rnnlab's fused scans, or the cell's own step."""

import importlib.util
import logging
import sys
from functools import cache

import torch
from torch import Tensor

from rnnlab.cells.cell import Cell, ElementwiseCell
from rnnlab.encoder.elementwise import ElementwiseScans, has_triton
from rnnlab.encoder.scans import Scans, StepScans, TorchScans
from rnnlab.errors import ConfigError, nearest
from rnnlab.kernels.waiting import waiting

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
    tells (``Cell.fused_is_faster``); in mixed precision, too, although they then compute in float32.
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
    return cell.fused_is_faster(hidden_size, time, padding, is_mixed)


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

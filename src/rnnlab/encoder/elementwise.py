"""Scans of elementwise cells: one product for all tokens, then one walk over numbers.

Padding is left out: tokens lie row by row, ``(tokens, features)``, so what stands behind a sequence's end is
neither multiplied nor read.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from rnnlab.cells.cell import ElementwiseCell, State, Weights
from rnnlab.data.batch import beside
from rnnlab.encoder.padding import put_back, taken_out
from rnnlab.kernels.waiting import waiting


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
        self._cell, self._device = cell, inputs.device
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
        given = self._cell.project(inputs.unsqueeze(0), multiplied)[0]
        if self._cell.looks_back:
            given, *others = self._looked_back(given, others[0], reverse)
        if has_gates:
            bias = weights["bias_ih"].unsqueeze(0)
            outputs, final = self._walked(kernels, given.to(dtype), bias, before, reverse)
        else:
            decay, drive, *_ = self._cell.terms(given, weights)
            decay, drive = decay.reshape(-1, decay.shape[-1]).to(dtype), drive.to(dtype)
            hidden, final = self._walked(kernels, drive, decay, before, reverse)
            outputs = self._cell.read(hidden, given, weights)
        return outputs, tuple(part.unsqueeze(0) for part in (final, *others))

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
    """Return a kind of scan, such as ``rnnlab.kernels.elementwise.MINGRU``."""
    elementwise_module()
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)

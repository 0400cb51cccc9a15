"""Compile every kernel: ``python -m tests.kernels.compile_all float32 float64``."""

import sys
from collections.abc import Iterable

from rnnlab.cells import cell_classes, cell_named
from rnnlab.kernels import lookup
from rnnlab.kernels.ahead import compile_ahead
from rnnlab.kernels.compiler import Kernel
from rnnlab.kernels.scans import kernels_named
from tests.kernels.layers import KINDS, cell_of


def compile_all(types: Iterable[str]) -> None:
    for kind in KINDS:
        kernels_named(str(cell_of(kind).fused))
    for cell in map(cell_named, cell_classes()):
        if cell.fused is not None:
            kernels_named(cell.fused)
    for numbers in types:
        for name in list(Kernel.named):
            compile_ahead(lookup.__name__, name, numbers)


if __name__ == "__main__":
    compile_all(sys.argv[1:])

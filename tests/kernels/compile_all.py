"""Compile every kernel for both types of numbers: ``python -m tests.kernels.compile_all``."""

from rnnlab.kernels import lookup
from rnnlab.kernels.ahead import compile_ahead
from rnnlab.kernels.scans import CELLS


def compile_all() -> None:
    names = [kernel.name for cell in CELLS.values() for kernel in (cell.forward, cell.backward)]
    for numbers in ("float32", "float64"):
        for name in [*names, lookup.backward.name]:
            compile_ahead(name, numbers)


if __name__ == "__main__":
    compile_all()

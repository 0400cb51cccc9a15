"""Compile every kernel for both types of numbers: ``python -m tests.kernels.compile_all``."""

from rnnlab.kernels.ahead import compile_ahead
from rnnlab.kernels.scans import CELLS


def compile_all() -> None:
    names = [name for cell in CELLS.values() for name in (cell.forward.name, cell.backward.name)]
    for numbers in ("float32", "float64"):
        for name in names:
            compile_ahead(name, numbers)


if __name__ == "__main__":
    compile_all()

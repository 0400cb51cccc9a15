"""Compile every kernel for both types of numbers: ``python -m tests.kernels.compile_all``."""

from rnnlab.kernels.scans import CELLS


def compile_all() -> None:
    for numbers in ("float32", "float64"):
        for cell in CELLS.values():
            for kernel in (cell.forward, cell.backward):
                kernel.of(numbers)


if __name__ == "__main__":
    compile_all()

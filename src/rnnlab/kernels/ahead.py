"""Compile in a process of its own: ``python -m rnnlab.kernels.ahead MODULE KERNEL float32``."""

import importlib
import sys

from rnnlab.kernels.compiler import Kernel


def compile_ahead(module: str, name: str, numbers: str) -> None:
    """Compile one kernel to disk, unless it is there.

    Args:
        module: whose import makes it.
        name: of the kernel, such as ``gru forward``.
        numbers: ``float32`` or ``float64``.
    """
    importlib.import_module(module)
    Kernel.named[name].compile_here(numbers)


if __name__ == "__main__":
    compile_ahead(*sys.argv[1:])

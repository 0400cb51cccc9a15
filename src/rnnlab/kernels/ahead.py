"""Compile fused scans in a process of their own: ``python -m rnnlab.kernels.ahead "gru forward" float32``."""

import sys

from rnnlab.kernels.compiler import Kernel


def compile_ahead(name: str, numbers: str) -> None:
    """Compile one kernel to disk, unless it is there.

    Args:
        name: of the kernel, such as ``gru forward``.
        numbers: ``float32`` or ``float64``.
    """
    from rnnlab.kernels import gru, lookup, lstm, rnn  # noqa: F401  they name their kernels

    Kernel.named[name].compile_here(numbers)


if __name__ == "__main__":
    compile_ahead(*sys.argv[1:])

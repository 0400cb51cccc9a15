"""The machine that a benchmark ran on: what it is, and how fast it multiplies matrices."""

import os
import platform
import re
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("rnnlab", "torch", "lightning", "numpy", "numba")
_SECONDS = 0.3  # for one look at the matrix-multiply rate


def description(device: torch.device) -> dict[str, Any]:
    """Return processor, cores, threads, memory, system and versions as plain data."""
    found = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": physical_memory(),
        "system": f"{platform.system()} {platform.release()}",
        "device": str(device),
        "python": platform.python_version(),
        **{name: installed(name) for name in _PACKAGES},
    }
    if device.type == "cuda":
        found["device"] = torch.cuda.get_device_name(device)
    return found


def processor() -> str:
    """Return the processor's name, as far as the system knows it."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def physical_memory() -> int | None:
    """Return the machine's memory in bytes; ``None`` where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def installed(package: str) -> str | None:
    """Return the version of ``package``, ``None`` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def matrix_multiply_rate(device: torch.device) -> float:
    """Return how many float32 operations a second a product of two large square matrices reaches.

    A product of two n x n matrices is ``2 n^3`` operations: n multiplications and n additions an entry.
    """
    size = 8192 if device.type == "cuda" else 1536
    left, right = (torch.rand(size, size, device=device) for _ in range(2))
    product = left @ right  # the first one pays for the library's start
    count, began = 0, now(device)
    while (elapsed := now(device) - began) < _SECONDS or not count:
        torch.matmul(left, right, out=product)
        count += 1
    return float(2 * size**3 * count / elapsed)


def now(device: torch.device) -> float:
    """Return the seconds of a clock when all work given to ``device`` so far is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()

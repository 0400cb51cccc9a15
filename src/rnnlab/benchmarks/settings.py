"""What a benchmark is asked to measure, and the machine that it runs on."""

import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from rnnlab.cells import cell_classes
from rnnlab.cells.cell import ElementwiseCell, TorchCell
from rnnlab.errors import ConfigError, nearest

CONTESTANTS = {
    **{"trainer": "Trainer", "bare": "bare loop", "padded": "padded", "packed": "packed"},
    "neuralforecast": "neuralforecast",
}
"""Names and titles of those that train the same model on the same documents, or series."""


ENCODER = "rnnlab.encoder.recurrent.RecurrentEncoder"
"""The class of the encoders that are measured."""
DEVICES = ("cuda", "cpu")
"""What there may be a report on."""
LISTS = ("cells", "hidden_sizes", "contestants")
"""Keys of one value or several."""


@dataclass(frozen=True)
class Settings:
    """The benchmark's own keys; see ``conf/benchmark.yaml``."""

    cells: tuple[str, ...]
    hidden_sizes: tuple[int, ...]
    contestants: tuple[str, ...]
    backend: str
    repeats: int
    turn_seconds: float
    batches_per_turn: int | None
    keras: bool
    keras_python: str | None
    keras_epochs: int
    kernels: bool
    logging: bool
    prediction: str | None
    jobs: str | None
    device: str | None
    minutes: float
    beside: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Settings":
        """Read them from the configuration.

        Raises:
            ConfigError: naming every key with a value that makes no sense.
        """
        found = {name: config[name] for name in cls.__dataclass_fields__}
        wrong: list[str] = []
        raced = (TorchCell, ElementwiseCell) if found["kernels"] else TorchCell
        cells = tuple(name for name, cell in cell_classes().items() if issubclass(cell, raced))
        found["cells"] = cells if found["cells"] is None else found["cells"]
        for name, choices in (("cells", cells), ("contestants", tuple(CONTESTANTS))):
            unknown = [one for one in _listed(found[name]) if one not in choices]
            wrong += [f"{name}: {one} is unknown. {nearest(str(one), choices)}" for one in unknown]
        wrong += [f"{name} is empty; expected one or more." for name in LISTS if not _listed(found[name])]
        for one in _listed(found["hidden_sizes"]):
            if not _is_count(one):
                wrong.append(f"hidden_sizes: {one!r} is no size; expected a whole number from 1.")
        for name in ("repeats", "keras_epochs", "batches_per_turn"):
            is_left_open = name == "batches_per_turn" and found[name] is None
            if not (is_left_open or _is_count(found[name])):
                wrong.append(f"{name} is {found[name]!r}; expected a whole number from 1.")
        if found["beside"] != 0 and not _is_count(found["beside"]):
            wrong.append(f"beside is {found['beside']!r}; expected a whole number from 0.")
        if not (isinstance(found["turn_seconds"], int | float) and found["turn_seconds"] > 0):
            wrong.append(f"turn_seconds is {found['turn_seconds']!r}; expected a number above 0.")
        if not (found["jobs"] is None or (isinstance(found["jobs"], str) and found["jobs"].strip())):
            wrong.append(f"jobs is {found['jobs']!r}; expected words, such as jobs=\"'model=gru seed=1,2'\".")
        if found["device"] not in (None, *DEVICES):
            wrong.append(f"device={found['device']} is unknown. {nearest(str(found['device']), DEVICES)}")
        if isinstance(found["minutes"], bool) or not (
            isinstance(found["minutes"], int | float) and found["minutes"] > 0
        ):
            wrong.append(f"minutes is {found['minutes']!r}; expected a number above 0.")
        if wrong:
            raise ConfigError("\n".join(wrong))
        return cls(**{**found, **{name: tuple(_listed(found[name])) for name in LISTS}})


def _listed(value: Any) -> list[Any]:
    """Return ``value`` as a list: a person may type ``cells=gru`` for one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


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


def matrix_multiply_rate(
    device: torch.device, dtype: torch.dtype = torch.float32, size: int | None = None
) -> float:
    """Return how many operations a second a product of two large square matrices of a type reaches.

    A product of two n x n matrices is ``2 n^3`` operations: n multiplications and n additions an entry.
    """
    size = size or (8192 if device.type == "cuda" else 1536)
    left, right = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
    product = left @ right  # the first one pays for the library's start

    def multiply() -> None:
        torch.matmul(left, right, out=product)
        now(device)  # waits for it, or a GPU's queue would fill meanwhile

    return float(2 * size**3 / seconds_a_call(multiply, _SECONDS, device))


def seconds_a_call(work: Callable[[], object], least: float, device: torch.device) -> float:
    """Return the mean seconds of as many calls as fill ``least`` seconds."""
    began, calls = now(device), 0
    while not calls or time.perf_counter() - began < least:
        work()
        calls += 1
    return (now(device) - began) / calls


def now(device: torch.device) -> float:
    """Return the seconds of a clock when all work given to ``device`` so far is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()

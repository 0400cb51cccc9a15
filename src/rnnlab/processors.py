"""Processors: how many this process may keep busy, how its threads wait where others want them, too, and
whether they multiply bfloat16 faster than float32.

Threads of OpenMP that have no work spin for some milliseconds, so as to be there at once when it comes. Where
another process wants the core, they keep it from the thread that has the work. Beside one busy process on two
cores trainings of 32 units reached 0.46 to 0.52 of their quiet rates, with threads that sleep after
some microseconds 0.69 to 0.75 (``scripts/benchmark.py beside=1``, ``GOMP_SPINCOUNT=300000`` and ``1000``).
"""

import math
import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
SPINS = "GOMP_SPINCOUNT"
FEW_SPINS = "10000"
"""Looks at whether there is work before a thread sleeps: some tenths of a millisecond.

On two cores of an Intel Xeon, with 1,000, 10,000 and 30,000 of them: a layer-normalised LSTM, which walks
by small operations of PyTorch's, trains on 35, 61 and 61 thousand tokens a second, a GRU of 32 units in the
Trainer on 1,623, 1,827 and 1,864, of which 0.73, 0.57 and 0.44 are left beside one busy process.
"""
GROUPS = Path("/sys/fs/cgroup")


def processors() -> int:
    """Return how many processors this process may use: those it may run on, or fewer if its time is limited.

    A container's ``--cpus=1.5`` is a limit of time; it counts as two.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([there, *map(math.ceil, _limits())]))


def _limits(groups: Path = GROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[float]:
    """Yield the processors that each control group of this process leaves it, of those that set a limit.

    Args:
        groups: where the kernel shows control groups, of the first version or the second.
        own: the file that names the groups of this process.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = groups / controllers if controllers else groups
        named = root / path.lstrip("/")
        # A container may be shown its own group as the root, whatever the file says.
        for folder in (named, *named.parents):
            if folder == root or root in folder.parents:
                yield from _limit(folder)


def _limit(folder: Path) -> Iterator[float]:
    """Yield the limit of one control group, in processors, if it has one."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
    except (OSError, ValueError):
        return
    if quota.isdecimal() and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)


def share(jobs_at_once: int) -> int:
    """Return the threads of each job, so that all together have one for each processor."""
    return max(1, processors() // max(1, jobs_at_once))


def take_threads(count: int) -> None:
    """Work with so many threads, in this process and in those that it starts."""
    # Before torch is imported, which may be now: its libraries read these once.
    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    import torch

    torch.set_num_threads(count)


def be_considerate() -> None:
    """Let this process's threads soon sleep when they wait, and be no more than it has processors.

    What the user's own variables say stands. The libraries read them when torch is imported, so it does
    nothing after that.
    """
    if "torch" in sys.modules:
        return
    if not {SPINS, "OMP_WAIT_POLICY"} & set(os.environ):
        os.environ[SPINS] = FEW_SPINS
    if "OMP_NUM_THREADS" not in os.environ and processors() < (os.cpu_count() or 1):
        os.environ["OMP_NUM_THREADS"] = str(processors())


@cache
def bfloat16_is_faster() -> bool:
    """Return whether this processor multiplies matrices faster in bfloat16 than in float32.

    It does by Intel's AMX, three to eight times as fast, by AVX512-BF16 on AMD's and by BFMMLA on ARM's. On
    an Intel Xeon with AVX512-BF16 and no AMX, as virtual machines may show it, bfloat16 has half the rate of
    float32 (measured with products of 2,048 rows and columns: 148 and 273 GFLOP/s). Where numba is not
    installed, nobody can tell, and whoever asks for bfloat16 is believed.
    """
    try:
        binding: Any = import_module("llvmlite.binding")
    except ImportError:
        return True
    name, features = binding.get_host_cpu_name(), binding.get_host_cpu_features()
    by_dots = name.startswith("znver") and features.get("avx512bf16", False)
    return bool(by_dots or features.get("amx-bf16") or features.get("bf16"))

"""The peak of memory in use during a piece of work.

On a CPU this is the peak resident set of the process: what of it lay in physical memory, as Linux counts
it. It includes the interpreter, the libraries and all else that the process holds, so the least of the
contestants shows what that amounts to, and it counts what the allocator keeps for later use. Before the
work begins, free memory is given back and the mark is reset, so that one contestant does not show another's
peak. It can't tell tensors that were needed from those that were merely not freed yet, nor see memory that
was asked for and never touched. On a CUDA device it is the peak of what PyTorch's tensors took there,
which leaves out the libraries' own.
"""

import ctypes
import gc
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import torch

_OWN = Path("/proc/self")
_RESET_PEAK = "5"  # see proc(5), clear_refs


class PeakMemory:
    """Measures what happens inside ``with``; afterwards ``bytes`` is the peak.

    Args:
        device: whose memory.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.bytes: int | None = None

    def __enter__(self) -> "PeakMemory":
        gc.collect()  # nor does one pay, in time or memory, for another's garbage
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self._is_reset = forget_peak()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self.device)
        else:
            self.bytes = peak_resident_set() if self._is_reset else None


def forget_peak() -> bool:
    """Give free memory back and start the peak anew; return whether this system can."""
    with suppress(OSError, AttributeError, TypeError):  # another C library may keep a little more
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (_OWN / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def peak_resident_set() -> int | None:
    """Return the peak resident set of this process in bytes; ``None`` where the system does not tell."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", (_OWN / "status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None

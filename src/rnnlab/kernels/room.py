"""Memory for what is large and new at every call, handed on from call to call.

The system hands out large memory page by page as it is first touched, and clears each page before. With
31,000 tokens and 128 units this is a fifth of the time of a forward and backward pass (measured on a virtual
machine by the layers of ``scripts/benchmark.py kernels=true``). So the block that a tensor occupied is kept
when the tensor is freed, for the next one that fits into it. If none is large enough, a new one takes the
place of the largest that is free: never are there more blocks than were in use at once.

Linux gives NumPy's large arrays pages of 2 MiB instead of 4 KiB; with those a forward pass of so many tokens,
in memory that is new, takes two thirds of the time.
"""

import math
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Block = npt.NDArray[np.uint8]

LARGE = 4 * 2**20
"""Bytes from which memory is handed on; the C library keeps smaller pieces itself."""
KEPT = 2**30
"""Bytes that are left free, at most, when a tensor has got its own."""
LINE = 64

_free: deque[Block] = deque()  # appending is one step, also in the midst of another one's garbage collection
_lock = threading.Lock()


def room(*shape: int, like: Tensor) -> Tensor:
    """Return an uninitialised tensor of the type of ``like``; it begins where a cache line does."""
    size = math.prod(shape) * like.itemsize
    if size < LARGE:
        return like.new_empty(shape)
    block = _taken(size + LINE)
    skip = -block.ctypes.data % LINE
    lent: Any = block[skip : skip + size]
    weakref.finalize(lent, _free.append, block).atexit = False
    return torch.from_numpy(lent).view(like.dtype).view(shape)


def _taken(size: int) -> Block:
    """Return a block of at least ``size`` bytes: the smallest free one that is large enough, or a new one."""
    with _lock:
        free = sorted((_free.popleft() for _ in range(len(_free))), key=len)
        large_enough = [place for place, block in enumerate(free) if len(block) >= size]
        found = free.pop(large_enough[0] if large_enough else -1) if free else None
        while sum(map(len, free)) > KEPT:
            free.pop()
        _free.extend(free)
    return found if found is not None and len(found) >= size else np.empty(size, np.uint8)

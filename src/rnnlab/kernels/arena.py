"""Memory that a scan needs while it runs, kept from call to call.

Asking the system for a megabyte, and touching it for the first time, costs as much as multiplying two
matrices of that size. So each thread that calls scans keeps one stretch of memory, as large as its largest
call so far has needed, from which every part of the scan cuts what it needs (measured: forward and backward
together take 5 to 15 percent less time). Beyond ``MOST`` a call takes long enough not to feel the price, and
memory is asked for anew.
"""

import threading
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rnnlab.kernels.compiler import compiled
from rnnlab.kernels.room import room
from rnnlab.kernels.team import claim
from rnnlab.kernels.tile import VECTOR_BYTES, lanes_of
from rnnlab.kernels.vectors import unowned

MOST = 64 * 2**20
"""Bytes kept at most, for each type of numbers."""


class Arena(NamedTuple):
    """Memory to be cut up.

    Attributes:
        numbers: ``(size,)``.
        used: ``(1,)`` how much of it has been asked for; it may be more than there is.
    """

    numbers: Any
    used: npt.NDArray[np.int64]


_kept = threading.local()


def arena_for(like: Tensor) -> Arena:
    """Return this thread's arena for numbers of the type of ``like``, all of it free."""
    arenas: dict[Any, Arena] = _kept.__dict__
    name = str(like.dtype)
    arena = arenas.get(name)
    wanted = 0 if arena is None else min(int(arena.used[0]), MOST // like.itemsize)
    if arena is None or wanted > len(arena.numbers):
        arena = arenas[name] = Arena(room(wanted, like=like.detach()).numpy(), np.zeros(1, np.int64))
    arena.used[0] = 0
    return arena


@compiled
def unowned_arena(arena: Any) -> Any:
    """Return the arena as one of which nobody counts the pieces, see ``vectors.unowned``."""
    return Arena(unowned(arena.numbers), unowned(arena.used))


@compiled
def cut(arena: Any, size: int) -> Any:
    """Return ``(size,)`` uninitialised numbers that begin where a vector does; threads may cut at once."""
    lanes = lanes_of(arena.numbers)
    whole = (size + lanes - 1) // lanes * lanes
    at = claim(arena.used, whole)
    if at + whole <= len(arena.numbers):
        return arena.numbers[at : at + size]
    spare = np.empty(whole + lanes, arena.numbers.dtype)
    skip = (-spare.ctypes.data % VECTOR_BYTES) // spare.itemsize
    return spare[skip : skip + size]


@compiled
def cut_matrix(arena: Any, rows: int, columns: int) -> Any:
    """Return an uninitialised ``(rows, columns)``, see ``cut``."""
    return cut(arena, rows * columns).reshape(rows, columns)


@compiled
def cut_cube(arena: Any, matrices: int, rows: int, columns: int) -> Any:
    """Return an uninitialised ``(matrices, rows, columns)``, see ``cut``."""
    return cut(arena, matrices * rows * columns).reshape(matrices, rows, columns)

"""What a training step would waste: memory given back and asked for again, tiny numbers, empty hooks."""

import ctypes
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.profilers import PassThroughProfiler

# glibc's names for what mallopt sets (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER = -1

KEPT = 1 << 30
"""Bytes of freed memory that a process keeps for itself."""
LARGE = 32 << 20
"""Bytes from which a block goes back to the system at once: the largest bound that glibc takes by itself."""


def keep_freed_memory(blocks_of_one_shape: bool) -> bool:
    """Let the C library keep what is freed, for as long as this process lives.

    Left alone, glibc gives back all that is free at the end of its heap once that is twice its largest block.
    A step's hidden states are more, so that each step touches their pages for the first time again, and to a
    small network these page faults matter. So ``KEPT`` bytes stay; in the large blocks, which are apart from
    the heap, nothing changes.

    The logits of a language model are such large blocks, several in each step, and their page faults cost up
    to half as much as the arithmetic in them. Its windows all have one shape, so that what a step frees fits
    the next one, and the process's memory is its peak, which it needs anyway: there, all blocks are kept.
    Where shapes vary little would fit, and memory grow: fine-tuning a classifier on reviews of all lengths
    took 14 GB instead of 2.

    Args:
        blocks_of_one_shape: whether the large blocks of all steps have the same sizes.

    Returns:
        Whether it was done; False where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    if blocks_of_one_shape:
        settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: _NEVER}
    else:
        settings = {_MMAP_THRESHOLD: LARGE, _TRIM_THRESHOLD: KEPT}
    done = [library.mallopt(name, value) for name, value in settings.items()]
    return all(done)


SUBNORMAL = 1e-40
"""Below the smallest normal number of float32."""


@contextmanager
def tiny_as_zero() -> Iterator[None]:
    """Have the processor take numbers below the smallest normal one for zero within, as TensorFlow has it do.

    Gradients that vanish over hundreds of steps are such numbers, and so are, after some hundred steps, an
    optimizer's means of gradients that a word which does not come any more once had. Intel's processors take
    some 150 cycles for each operation on one: the first 60 steps of PyTorch's GRU of 32 units on IMDB took
    12.6 seconds instead of 4.4, and the next 60 twice as long as they need. rnnlab's own scans do the same by
    themselves (:mod:`rnnlab.kernels.team`).

    It is a setting of each thread, which new ones inherit: those of PyTorch's that are there already keep
    theirs.
    """
    before = not (torch.tensor(SUBNORMAL) * 1).item()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


STEP_HOOKS = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
    "on_validation_batch_start",
    "on_validation_batch_end",
    "on_test_batch_start",
    "on_test_batch_end",
)
"""What Lightning calls at every step, of every callback."""

_NOTHING = nullcontext()


def leave_out_empty_hooks(callbacks: Iterable[Callback]) -> None:
    """Take away those step hooks that a callback has only inherited from ``Callback``, where they do nothing.

    Lightning passes over a hook that can't be called. A call costs little, but six hooks of a dozen
    callbacks, each with its context of the profiler, make a small network's step some percent longer.
    """
    for callback in callbacks:
        for name in STEP_HOOKS:
            if getattr(type(callback), name) is getattr(Callback, name) and name not in vars(callback):
                setattr(callback, name, None)


class Unprofiled(PassThroughProfiler):
    """Measures nothing.

    Lightning enters its profiler for every callback at every hook, some hundred times a step. Its own
    profiler that measures nothing makes a generator each time, which a small network's step feels.
    """

    def profile(self, action_name: str) -> Any:
        """Return a context that does nothing."""
        return _NOTHING

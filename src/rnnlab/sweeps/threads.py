"""How many threads each of several jobs on one machine works with."""

import os

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(jobs_at_once: int) -> int:
    """Return the threads of each job, so that all together have one for each processor."""
    return max(1, processors() // max(1, jobs_at_once))


def take_threads(count: int) -> None:
    """Work with so many threads, in this process and in those that it starts."""
    # Before torch is imported, which may be now: its libraries read these once.
    os.environ.update(dict.fromkeys(VARIABLES, str(count)))
    import torch

    torch.set_num_threads(count)

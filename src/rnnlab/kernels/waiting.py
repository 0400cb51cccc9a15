"""How long this process has waited for code to be compiled and loaded, which is no work on any batch."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_total = 0.0
_depth = 0
_lock = threading.Lock()


@contextmanager
def waiting() -> Iterator[None]:
    """Count the seconds of what is done within; of waits in one another the outermost counts."""
    global _total, _depth
    with _lock:
        is_outermost, _depth = _depth == 0, _depth + 1
    began = time.perf_counter()
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if is_outermost:
                _total += time.perf_counter() - began


def seconds_waited() -> float:
    """Return the seconds since the process began."""
    return _total

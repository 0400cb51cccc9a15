import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnlab.training import fit as fit_module
from rnnlab.training.overhead import keep_freed_memory

FAULTS = """
import ctypes, resource, sys
from rnnlab.training.overhead import keep_freed_memory
how, blocks, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) << 20
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
done = how != "given back" and keep_freed_memory(blocks_of_one_shape=how == "one shape")
step = [0] * blocks
for turn in range(16):
    if turn == 8:  # the first ask the system either way
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for place in range(blocks):
        step[place] = library.malloc(size)
        ctypes.memset(step[place], 1, size)
    for place in range(blocks):
        library.free(step[place])
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
LARGE, MANY = (1, 64), (24, 8)  # blocks in a step, and their MiB


def page_faults(how: str, step: tuple[int, int]) -> tuple[str, int]:
    """Return whether memory is kept, and the page faults of eight steps."""
    command = [sys.executable, "-c", FAULTS, how, *map(str, step)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    done, faults = answer.stdout.split()
    return done, int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
@pytest.mark.parametrize(
    ("how", "step", "is_kept"),
    [("one shape", LARGE, True), ("any shape", LARGE, False), ("any shape", MANY, True)],
)
def test_what_a_step_frees_is_there_for_the_next(how: str, step: tuple[int, int], is_kept: bool) -> None:
    done, found = page_faults(how, step)
    if done == "False":
        pytest.skip("the C library is not glibc")
    _, given_back = page_faults("given back", step)
    blocks, size = step
    assert given_back > 4 * blocks * (size << 20) // resource.getpagesize()  # half of the eight steps' pages
    assert (found < given_back / 10) == is_kept


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory(blocks_of_one_shape=True)


@pytest.mark.parametrize(("task", "one_shape"), [("sentiment", False), ("language_model", True)])
def test_large_blocks_are_kept_where_batches_have_one_shape(
    task: str,
    one_shape: bool,
    compose: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(
        fit_module, "keep_freed_memory", lambda blocks_of_one_shape: calls.append(blocks_of_one_shape)
    )
    words = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "baselines=false", "logger=none")
    fit_module.fit(compose(f"task={task}", "batches.batch_size=2", *words), tmp_path / "run")
    assert calls == [one_shape]

import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rnnlab.training import fit as fit_module
from rnnlab.training.overhead import keep_freed_memory

FAULTS = """
import ctypes, os, resource, sys
from rnnlab.training.overhead import keep_freed_memory
for case in range(1, len(sys.argv), 3):  # what one sets stays with its process
    sys.stdout.flush()
    child = os.fork()
    if not child:
        break
    os.waitpid(child, 0)
else:
    sys.exit()
how, blocks, size = sys.argv[case], int(sys.argv[case + 1]), int(sys.argv[case + 2]) << 20
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
done = how != "given back" and keep_freed_memory(blocks_of_one_shape=how == "one shape")
step = [0] * blocks
for turn in range(6):
    if turn == 3:  # the first ask the system either way
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for place in range(blocks):
        step[place] = library.malloc(size)
        ctypes.memset(step[place], 1, size)
    for place in range(blocks):
        library.free(step[place])
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
LARGE, MANY = (1, 64), (24, 8)  # blocks in a step, and their MiB


KEPT_OR_NOT = (("one shape", LARGE, True), ("any shape", LARGE, False), ("any shape", MANY, True))
LEFT_ALONE = "given back"


def page_faults(cases: Sequence[tuple[str, tuple[int, int]]]) -> list[tuple[str, int]]:
    """Return, for each way and step, whether memory is kept, and the page faults of three steps."""
    words = [str(word) for how, step in cases for word in (how, *step)]
    answer = subprocess.run(
        [sys.executable, "-c", FAULTS, *words], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in answer.stdout.splitlines()]
    return [(done, int(faults)) for done, faults in lines]


@pytest.mark.thorough  # a machine may take long to give memory
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_what_a_step_frees_is_there_for_the_next() -> None:
    cases = [(LEFT_ALONE, LARGE), (LEFT_ALONE, MANY), *((how, step) for how, step, _ in KEPT_OR_NOT)]
    of_large, of_many, *found = page_faults(cases)
    alone = {LARGE: of_large, MANY: of_many}
    for (how, step, is_kept), (done, faults) in zip(KEPT_OR_NOT, found, strict=True):
        if done == "False":
            pytest.skip("the C library is not glibc")
        _, given_back = alone[step]
        blocks, size = step
        pages = 3 * blocks * (size << 20) // resource.getpagesize()
        assert given_back > pages / 2
        assert (faults < given_back / 10) == is_kept, how


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

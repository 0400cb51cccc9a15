import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnlab.training import fit as fit_module
from rnnlab.training.allocation import keep_freed_memory

FAULTS = """
import resource, sys
import torch
from rnnlab.training.allocation import keep_freed_memory
how, blocks, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
done = keep_freed_memory(how == "one shape") if how != "given back" else False
for turn in range(16):
    if turn == 8:  # the first ask the system either way
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step = [torch.ones(size << 20, dtype=torch.uint8) for _ in range(blocks)]
    del step
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str, blocks: int, size: int) -> tuple[str, int]:
    """Return whether memory is kept, and the page faults of eight steps with so many blocks of MiB."""
    command = [sys.executable, "-c", FAULTS, how, str(blocks), str(size)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    done, faults = answer.stdout.split()
    return done, int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
@pytest.mark.parametrize(
    ("how", "blocks", "size"),
    [("one shape", 1, 64), ("any shape", 24, 8)],
    ids=["large blocks of one shape", "a step's many blocks"],
)
def test_freed_blocks_are_used_again(how: str, blocks: int, size: int) -> None:
    done, kept = page_faults(how, blocks, size)
    if done == "False":
        pytest.skip("the C library is not glibc")
    a_step = blocks * (size << 20) // resource.getpagesize()
    assert kept <= 2 * a_step  # of eight; how far the first turns reached into fresh memory varies


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

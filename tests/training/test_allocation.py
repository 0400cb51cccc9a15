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
done = keep_freed_memory() if sys.argv[1] == "kept" else False
for turn in range(16):
    if turn == 8:  # the first ask the system either way
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(64 << 20, dtype=torch.uint8)
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> tuple[str, int]:
    answer = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    done, faults = answer.stdout.split()
    return done, int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is meant")
def test_large_blocks_are_used_again() -> None:
    done, kept = page_faults("kept")
    if done == "False":
        pytest.skip("the C library is not glibc")
    a_block = (64 << 20) // resource.getpagesize()
    assert kept <= 2 * a_block  # of eight; how far the first turns reached into fresh memory varies


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()


@pytest.mark.parametrize(("task", "kept"), [("sentiment", 0), ("language_model", 1)])
def test_memory_is_kept_where_batches_have_one_shape(
    task: str,
    kept: int,
    compose: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(fit_module, "keep_freed_memory", lambda: calls.append(None))
    words = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "baselines=false", "logger=none")
    fit_module.fit(compose(f"task={task}", "batches.batch_size=2", *words), tmp_path / "run")
    assert len(calls) == kept

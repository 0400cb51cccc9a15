"""Runs scripts/train.py with the arguments given, and tells each training step on standard output.

A test reads it to know when to kill.
"""

import runpy
from pathlib import Path

from torch import Tensor

from rnnlab.tasks.task import Task

plain = Task.on_before_backward


def told(self: Task, loss: Tensor) -> None:
    print(f"step {self.global_step}", flush=True)
    plain(self, loss)


if __name__ == "__main__":
    Task.on_before_backward = told  # type: ignore[method-assign]
    script = Path(__file__).resolve().parents[2] / "scripts" / "train.py"
    runpy.run_path(str(script), run_name="__main__")

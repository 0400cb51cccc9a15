"""The metric by which jobs are compared, known without torch."""

import subprocess
import sys

import pytest

from rnnlab.build import locate_class
from rnnlab.sweeps.sweep_folder import Compared, compared_by
from rnnlab.tasks.task import Task


@pytest.mark.parametrize(
    "target",
    ["sentiment.task.SentimentClassifier", "memory.task.MemoryTask", "language_model.task.LanguageModel"],
)
def test_it_is_the_tasks_own(target: str) -> None:
    task = locate_class(f"rnnlab.tasks.{target}", Task, "task")
    asked = compared_by({"task": {"_target_": f"rnnlab.tasks.{target}"}})
    assert asked == Compared(task.monitor, task.mode)


def test_a_task_of_ones_own_is_asked() -> None:
    target = f"{Loss.__module__}.{Loss.__qualname__}"
    assert compared_by({"task": {"_target_": target}}) == Compared("validation/loss", "min")


class Loss(Task):
    monitor, mode = "validation/loss", "min"


def test_a_sweep_begins_without_torch() -> None:
    modules = "hydra_plugins.rnnlab_sweeper.rnnlab_sweeper, rnnlab.sweeps.sweep, rnnlab.runs.draw_when_swept"
    asked = f"import sys, {modules}; print([name for name in ('torch', 'lightning') if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

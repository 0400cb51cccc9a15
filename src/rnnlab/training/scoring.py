"""A task's metrics on a split, outside of training."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch.callbacks import Callback

from rnnlab import interruption
from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError
from rnnlab.tasks.task import Task
from rnnlab.training.checks import build_trainer
from rnnlab.training.progress import ScoringProgress

KEPT = (
    *("accelerator", "devices", "num_nodes", "strategy", "precision", "deterministic"),
    *("limit_val_batches", "limit_test_batches"),
)
"""Of the run's trainer, what its scoring needs, too."""


LIMITS = {"train": "limit_train_batches", "validation": "limit_val_batches", "test": "limit_test_batches"}
"""Of each split, the trainer's key that takes a part of it."""


class AskedToStop(Callback):
    """Ends a scoring after any batch, if that was asked for: it can be done again."""

    def on_validation_batch_end(self, *args: Any, **options: Any) -> None:
        """Ask."""
        interruption.check()

    on_test_batch_end = on_validation_batch_end


def evaluate(
    task: Task, data: TaskData, split: str, trainer: Mapping[str, Any], callbacks: Sequence[Callback] = ()
) -> dict[str, float]:
    """Return the metrics of a split, such as ``{"accuracy": 0.88, "loss": 0.29}``.

    A trainer of its own, without logger and checkpoints, keeps the run's curves and files untouched.

    Args:
        split: ``validation`` or ``test``.
        trainer: the configuration of the run's trainer, of which device, precision and limits matter here.

    Raises:
        ConfigError: if the part of the split is no batch, or the trainer's devices are not there.
    """
    check_part(data, split, trainer)
    options = {key: trainer[key] for key in KEPT if key in trainer}
    facts = {"callbacks": [ScoringProgress(), AskedToStop(), *callbacks], "logger": False}
    runner = build_trainer(options, {**facts, "enable_checkpointing": False})
    run = runner.validate if split == "validation" else runner.test
    (found,) = run(task, datamodule=data, verbose=False)
    return {name.removeprefix(f"{split}/"): float(value) for name, value in found.items()}


def check_part(data: TaskData, split: str, trainer: Mapping[str, Any]) -> None:
    """Check that the part of a split that the configuration's trainer takes is a batch at least.

    Raises:
        ConfigError: if it is less, naming the key.
    """
    key = LIMITS[split]
    share = trainer.get(key, 1.0)
    if not isinstance(share, float) or share == 1.0:
        return
    batches = len(data.train_dataloader() if split == "train" else data.loader_of(split))
    if int(share * batches) < 1:
        raise ConfigError(
            f"trainer.{key}={share}: of the {batches} batches of the {split} split that is none. "
            f"One of them: trainer.{key}=1."
        )

"""Weighted means kept on the device, cheap enough for every training step, and tasks scored by them."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from rnnlab.tasks.task import Task


class RunningMean(Metric):
    """Sum and weight of what was added; the value is their ratio, over all processes.

    An update is two additions in place and nothing else. ``torchmetrics.MeanMetric`` casts, broadcasts and
    checks for NaN on each update, which takes longer than a small network's optimizer step.
    """

    total: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("weight", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, total: Tensor, weight: Tensor) -> None:
        """Add a batch: the sum of its values, and how many there were (both of shape ``()``)."""
        self.total.add_(total)  # not +=, which assigns: nn.Module takes long for that
        self.weight.add_(weight)

    def compute(self) -> Tensor:
        """Return the mean, NaN where nothing was added."""
        return (self.total / self.weight).float()

    @property
    def counted(self) -> dict[str, Tensor]:
        """What was added so far, for a checkpoint."""
        return {"total": self.total, "weight": self.weight}

    def take_up(self, counted: Mapping[str, Tensor]) -> None:
        """Go on from what a checkpoint holds."""
        for name, value in counted.items():
            getattr(self, name).copy_(value)

    def value_and_reset(self) -> Tensor:
        """Return the mean and start anew."""
        value: Tensor = self.compute()
        self.reset()
        return value


class StageScores:
    """Forgets and logs a task's scores of a stage in time: a class beside :class:`Task`, before it."""

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted pass or the sanity check counted."""
        self.forget("validation")

    def on_test_epoch_start(self) -> None:
        """Forget what an interrupted pass counted."""
        self.forget("test")

    def on_validation_epoch_end(self) -> None:
        """Log the validation scores."""
        self.report("validation")

    def on_test_epoch_end(self) -> None:
        """Log the test scores."""
        self.report("test")

    def forget(self, stage: str) -> None:
        """Empty the scores of ``stage``."""
        raise NotImplementedError

    def report(self, stage: str) -> None:
        """Log the scores of ``stage``."""
        raise NotImplementedError


class MeansTask(StageScores, Task):
    """A task whose scores are means: it keeps them by stage and name, forgets and logs them in time."""

    def keep_means(self, names: Mapping[str, Sequence[str]]) -> None:
        """Make the means of each stage; those of ``train`` go into checkpoints.

        Args:
            names: of the scores of ``train``, ``validation`` and ``test``.
        """
        for stage, own in names.items():
            self.add_module(f"{stage}_scores", nn.ModuleDict({name: RunningMean() for name in own}))
        for mean in self.scores("train").values():
            mean.persistent(True)  # a run that goes on in mid-epoch reports the whole epoch

    def scores(self, stage: str) -> dict[str, RunningMean]:
        """Return the means of ``stage`` by name."""
        return dict(cast(nn.ModuleDict, getattr(self, f"{stage}_scores")).items())  # type: ignore[arg-type]

    def validation_metrics(self) -> list[str]:
        """Return the names of all that a validation logs."""
        return [f"validation/{name}" for name in self.scores("validation")]

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training scores."""
        self.report("train")

    def forget(self, stage: str) -> None:
        """Empty the scores of ``stage``."""
        for mean in self.scores(stage).values():
            mean.reset()

    def report(self, stage: str) -> None:
        """Log the scores of ``stage`` over all that was counted."""
        means = {f"{stage}/{name}": mean.value_and_reset() for name, mean in self.scores(stage).items()}
        self.log_dict(means)

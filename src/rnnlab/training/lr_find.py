"""The learning-rate finder: the loss while the rate grows, and where it falls fastest (Smith 2017)."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure

from rnnlab.figures.drawing import house_style, logarithmic, new_panel, note, save
from rnnlab.terminal import shown

log = logging.getLogger(__name__)

SMOOTHING = 0.9  # of the running mean of the loss
DIVERGED = 4.0  # times the lowest smoothed loss


class LearningRateFinder(Callback):
    """Ends a training once its loss grows, draws the loss by the rate, and suggests a rate.

    For ``scheduler=range_test``, as ``debug=lr_find`` chooses it.
    """

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember the rate of the step."""
        self.rates.append(float(trainer.optimizers[0].param_groups[0]["lr"]))

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Remember its loss; end the training where it grew far."""
        self.losses.append(float(outputs["loss"] if isinstance(outputs, Mapping) else outputs))
        smoothed = running_mean(self.losses)
        if not math.isfinite(smoothed[-1]) or smoothed[-1] > DIVERGED * min(smoothed):
            trainer.should_stop = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw the curve and say the suggestion."""
        smoothed = running_mean(self.losses)
        rate = suggestion(self.rates, smoothed)
        folder = Path(trainer.default_root_dir) / "figures"
        save(loss_by_rate_figure(self.rates, smoothed, rate), folder, "learning_rate")
        told = "nothing: it never fell" if rate is None else f"optimizer.lr={rate:.1e}"
        log.info("The loss by the learning rate is in %s; it suggests %s", shown(folder), told)


def running_mean(losses: Sequence[float]) -> list[float]:
    """Return the exponentially weighted mean up to each step, without a bias to its beginning.

    >>> [round(mean, 2) for mean in running_mean([1.0, 1.0, 2.0])]
    [1.0, 1.0, 1.37]
    """
    means, mean = [], 0.0
    for step, loss in enumerate(losses, start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        means.append(mean / (1 - SMOOTHING**step))
    return means


def suggestion(rates: Sequence[float], smoothed: Sequence[float]) -> float | None:
    """Return the rate at which the loss falls fastest before its lowest point; None where it never falls.

    >>> suggestion([1e-4, 1e-3, 1e-2, 1e-1, 1.0], [2.0, 1.9, 1.2, 1.0, 9.0])
    0.001
    """
    finite = [loss if math.isfinite(loss) else math.inf for loss in smoothed]
    until = int(np.argmin(finite)) + 1 if finite else 0
    if until < 2:
        return None
    falls = np.diff(finite[:until]) / np.diff(np.log(rates[:until]))
    return float(rates[int(np.argmin(falls))])


@house_style()
def loss_by_rate_figure(rates: Sequence[float], smoothed: Sequence[float], rate: float | None) -> Figure:
    """Draw the smoothed loss by the learning rate, and the suggested rate as a line."""
    figure, panel = new_panel("Loss while the learning rate grows", "learning rate", "loss, smoothed")
    panel.plot(rates[: len(smoothed)], smoothed)
    logarithmic(panel.xaxis)
    if rate is not None:
        panel.axvline(rate, linestyle=":")
        note(figure, f"It falls fastest at {rate:.1e}.")
    return figure

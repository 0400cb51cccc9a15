"""The progress of training: a live bar on a terminal, and one line for each epoch everywhere."""

import logging
from typing import Any

import lightning
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rnnlab.terminal import console
from rnnlab.training.clock import TrainingClock

log = logging.getLogger(__name__)

REFRESH = 0.5  # seconds between two looks at the loss and the token count, which wait for the device


class TrainingProgress(ProgressBar):
    """Loss, rate in real tokens and remaining time as a bar; a log line when an epoch is done.

    Args:
        clock: what counts seconds and tokens; it must come before this callback.
    """

    def __init__(self, clock: TrainingClock) -> None:
        super().__init__()
        self.clock = clock
        self.enabled = True
        self.bar: Progress | None = None
        self.row: TaskID | None = None
        self.shown_at = 0.0
        self.ended = 0

    def disable(self) -> None:
        """Show nothing."""
        self.enabled = False

    def enable(self) -> None:
        """Show the bar again."""
        self.enabled = True

    def open_bar(self, description: str, total: float) -> None:
        """Start a bar of ``total`` steps, in place of the one before; no bar where output is a file."""
        self.close_bar()
        if not (self.enabled and console.is_terminal):
            return
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[news]}"),
            console=console,
            transient=True,
            refresh_per_second=2,  # drawing takes milliseconds, for which all of PyTorch's threads wait
        )
        self.bar.start()
        self.row = self.bar.add_task(description, total=total, news="")
        self.shown_at = 0.0

    def step(self, done: int, news: str | None = None) -> None:
        """Move the bar to ``done`` steps."""
        if self.bar is not None and self.row is not None:
            self.bar.update(self.row, completed=done)
            if news is not None:
                self.bar.update(self.row, news=news)

    def close_bar(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
        self.bar = self.row = None

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the line of the epoch before, whose training metrics are known only now; open a new bar."""
        self.write_line(trainer)
        self.begin_epoch(trainer)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Open a bar at once: a run that goes on in mid-epoch starts no epoch."""
        self.begin_epoch(trainer)

    def begin_epoch(self, trainer: lightning.Trainer) -> None:
        """Open the bar of the current epoch."""
        self.open_bar(f"Epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", self.total_train_batches)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Move the bar; look at loss and rate only twice a second."""
        if self.bar is None:
            return
        now = self.clock.seconds_so_far()
        if now - self.shown_at < REFRESH:
            return
        self.shown_at = now
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        rate = self.clock.tokens_so_far() / max(now, 1e-9)
        self.step(batch_idx + 1, f"loss {float(loss):.3f}  {thousands(rate)} tokens/s")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Close the epoch's bar."""
        self.close_bar()
        self.ended = trainer.current_epoch + 1

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the last epoch's line."""
        self.write_line(trainer)

    def write_line(self, trainer: lightning.Trainer) -> None:
        """Write the line of the epoch that ended, if one did and it is not written yet."""
        if self.ended and self.enabled:
            log.info(epoch_line(self.ended, trainer, self.clock))
        self.ended = 0

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Open the validation's bar."""
        self.open_bar("Validation", sum(trainer.num_val_batches))

    def on_validation_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        """Move the validation's bar."""
        self.step(kwargs.get("batch_idx", args[3] if len(args) > 3 else 0) + 1)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Close the validation's bar."""
        self.close_bar()

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Open the test's bar."""
        self.open_bar("Test", sum(trainer.num_test_batches))

    def on_test_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        """Move the test's bar."""
        self.step(kwargs.get("batch_idx", args[3] if len(args) > 3 else 0) + 1)

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Close the test's bar."""
        self.close_bar()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        self.close_bar()


def thousands(rate: float) -> str:
    """Return a rate as a person reads it.

    >>> thousands(152_340.0), thousands(2_210_000.0), thousands(870.0)
    ('152k', '2.2M', '870')
    """
    if rate >= 1e6:
        return f"{rate / 1e6:.1f}M"
    return f"{rate / 1e3:.0f}k" if rate >= 1e4 else f"{rate:.0f}"


def epoch_line(epoch: int, trainer: lightning.Trainer, clock: TrainingClock) -> str:
    """Return an epoch's result in one line."""
    parts = [f"Epoch {epoch}/{trainer.max_epochs}:"]
    for stage in ("train", "validation"):
        found = {
            name.removeprefix(f"{stage}/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(f"{stage}/") and name.count("/") == 1
        }
        if found:
            parts.append(f"{stage} " + " ".join(f"{name} {value:.4g}" for name, value in found.items()) + ",")
    rate = clock.epoch_tokens[-1] / max(clock.epoch_seconds[-1], 1e-9)
    parts.append(f"{clock.epoch_seconds[-1]:.1f} s, {thousands(rate)} tokens/s")
    return " ".join(parts)

"""The progress of a corpus's encoding, of training and of scoring, and one line for each epoch."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rnnlab import interruption
from rnnlab.terminal import console, duration
from rnnlab.text.encoded import Progress as Report
from rnnlab.training.clock import TrainingClock
from rnnlab.training.score_tables import figure, thousands

log = logging.getLogger(__name__)


@contextmanager
def encoding_progress() -> Iterator[Report]:
    """Yield a callback ``(stage, done, total)`` that shows each stage in a bar, or writes lines."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:,.0f} documents"),
        TimeRemainingColumn(compact=True),
    )
    rows: dict[str, TaskID] = {}
    lines: dict[str, ProgressLines] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:

        def report(stage: str, done: int, total: int | None) -> None:
            interruption.check()
            if stage not in rows:
                log.debug("%s", stage)
                rows[stage] = bar.add_task(stage, total=total)
                lines[stage] = ProgressLines(every=EVERY_OF_ENCODING)
                lines[stage].begin(stage, total, "documents")
            bar.update(rows[stage], completed=done, total=total)
            if not console.is_terminal and lines[stage].is_due(done):
                lines[stage].write(done, f"{thousands(lines[stage].rate(done))} documents/s")

        yield report


REFRESH = 0.5  # seconds between two looks at the loss and the token count, which wait for the device

EVERY = 300.0
"""Seconds between two lines: an hour of training is a dozen."""
EVERY_OF_ENCODING = 60.0


class ProgressLines:
    """Says every few minutes how far a piece of work is, its rate, and how long the rest takes.

    Args:
        now: the time in seconds.
        every: seconds between two lines; ``None`` for ``EVERY``.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, every: float | None = None) -> None:
        self.now, self.every = now, every
        self.begin("", 0)

    def begin(self, description: str, total: float | None, unit: str = "batches") -> None:
        """Start a piece of ``total`` batches, or of nobody knows how many."""
        self.description, self.total, self.unit = description, total, unit
        self.began = self.said = self.now()
        self.skipped: int | None = None

    def is_due(self, done: int) -> bool:
        """Return whether a line should be written after ``done`` batches; it must be asked at each.

        The first answer counts from where the work is: a run that goes on begins in mid-epoch.
        """
        if self.skipped is None:
            self.skipped = done
            self.began = self.now()
        return done > self.skipped and self.now() - self.said >= (EVERY if self.every is None else self.every)

    def rate(self, done: int) -> float:
        """Return how many were done in a second."""
        return (done - (self.skipped or 0)) / max(1e-9, self.now() - self.began)

    def write(self, done: int, news: str = "") -> None:
        """Write the line of ``done`` batches."""
        self.said = self.now()
        of, left = "", ""
        if self.total is not None:
            of, left = f" of {self.total:,.0f}", f"{duration((self.total - done) / self.rate(done))} left"
        parts = [f"{self.description}: {done:,}{of} {self.unit}", news, left]
        log.info(", ".join(part for part in parts if part))


class BatchProgress:
    """Shows one pass at a time.

    Attributes:
        enabled: whether anything is shown.
    """

    def __init__(self) -> None:
        self.enabled = True
        self.bar: Progress | None = None
        self.row: TaskID | None = None
        self.lines = ProgressLines()

    def open(self, description: str, total: float) -> None:
        """Begin a pass over ``total`` batches, in place of the one before."""
        self.close()
        self.lines.begin(description, total)
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

    def wants_news(self, done: int) -> bool:
        """Return whether what :meth:`step` is told after ``done`` batches will be seen; ask at each."""
        return self.bar is not None or (self.enabled and self.lines.is_due(done))

    def step(self, done: int, news: str = "") -> None:
        """Move the bar to ``done`` batches, or write a line if it is time for one."""
        if self.bar is not None and self.row is not None:
            self.bar.update(self.row, completed=done, news=news)
        elif self.wants_news(done):
            self.lines.write(done, news)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
        self.bar = self.row = None


class ScoringProgress(ProgressBar):
    """Shows how far the passes over the validation and the test split are."""

    def __init__(self) -> None:
        super().__init__()
        self.progress = BatchProgress()

    def disable(self) -> None:
        """Show nothing."""
        self.progress.enabled = False

    def enable(self) -> None:
        """Show it again."""
        self.progress.enabled = True

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin a pass over the validation split."""
        self.progress.open("Validation", sum(trainer.num_val_batches))

    def on_validation_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        """Count a batch."""
        self.progress.step(kwargs.get("batch_idx", args[3] if len(args) > 3 else 0) + 1)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End the pass."""
        self.progress.close()

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin a pass over the test split."""
        self.progress.open("Test", sum(trainer.num_test_batches))

    on_test_batch_end = on_validation_batch_end
    on_test_end = on_validation_end

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        self.progress.close()


class TrainingProgress(ScoringProgress):
    """Loss, rate in real tokens and remaining time; a log line when an epoch is done.

    Args:
        clock: what counts seconds and tokens; it must come before this callback.
    """

    def __init__(self, clock: TrainingClock) -> None:
        super().__init__()
        self.clock = clock
        self.shown_at = -REFRESH
        self.ended = 0
        self.validated = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the line of the epoch before, whose training metrics are known only now; begin a new pass."""
        self.write_line(trainer)
        self.begin_epoch(trainer)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin a pass at once: a run that goes on in mid-epoch starts no epoch."""
        self.begin_epoch(trainer)

    def begin_epoch(self, trainer: lightning.Trainer) -> None:
        """Begin the pass of the current epoch."""
        self.progress.open(
            f"Epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", self.total_train_batches
        )
        self.shown_at = -REFRESH

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count a batch; look at loss and rate only twice a second, if they will be seen."""
        done, now = batch_idx + 1, self.clock.seconds_so_far()
        if not self.progress.wants_news(done) or now - self.shown_at < REFRESH:
            return
        self.shown_at = now
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        rate = self.clock.tokens_so_far() / max(now, 1e-9)
        self.progress.step(done, f"loss {float(loss):.3f}, {thousands(rate)} tokens/s")

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End the pass; the epoch's line has its figures."""
        super().on_validation_end(trainer, pl_module)
        self.validated = True

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End the epoch's pass."""
        self.progress.close()
        self.ended = trainer.current_epoch + 1

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the last epoch's line."""
        self.write_line(trainer)

    def write_line(self, trainer: lightning.Trainer) -> None:
        """Write the line of the epoch that ended, if one did and it is not written yet."""
        if self.ended and self.progress.enabled:
            log.info(epoch_line(self.ended, trainer, self.clock, self.validated))
        self.ended, self.validated = 0, False


def epoch_line(epoch: int, trainer: lightning.Trainer, clock: TrainingClock, validated: bool) -> str:
    """Return an epoch's result in one line, without the figures of an earlier validation."""
    parts = [f"Epoch {epoch}/{trainer.max_epochs}:"]
    for stage in ("train", "validation") if validated else ("train",):
        found = {
            name.removeprefix(f"{stage}/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(f"{stage}/") and name.count("/") == 1
        }
        if found:
            shown = " ".join(f"{name} {figure(name, value)}" for name, value in found.items())
            parts.append(f"{stage} {shown},")
    rate = clock.epoch_tokens[-1] / max(clock.epoch_seconds[-1], 1e-9)
    parts.append(f"{clock.epoch_seconds[-1]:.1f} s, {thousands(rate)} tokens/s")
    return " ".join(parts)

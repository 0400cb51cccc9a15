"""How long training takes, and how many real tokens it gets through."""

import math
import time
from collections.abc import Iterable
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from rnnlab.kernels.compiler import seconds_waited
from rnnlab.tasks.task import Task


def now() -> float:
    """Return the seconds of a clock that stands still while code is compiled or loaded.

    That happens once on a machine, or once in a process: the first run of a sweep would look slow.
    """
    return time.perf_counter() - seconds_waited()


def counted(values: Iterable[Any]) -> list[float]:
    """Return what a checkpoint says was counted.

    Raises:
        ValueError, TypeError: if it can't have been.
    """
    numbers = [float(value) for value in values]
    if not all(0 <= number < math.inf for number in numbers):
        raise ValueError(f"{numbers} are no times and counts")
    return numbers


class TrainingClock(Callback):
    """Seconds and tokens of each epoch's training steps; validation, checkpoints and compilation excluded.

    Attributes:
        epoch_seconds: seconds of each finished epoch.
        epoch_tokens: real tokens, padding excluded, of each finished epoch, of all processes.
        batches: how many this process has begun.
    """

    def __init__(self) -> None:
        self.epoch_seconds: list[float] = []
        self.epoch_tokens: list[int] = []
        self.tokens: Any = 0
        self.batches = 0
        self.running = 0.0
        self.since: float | None = None
        self.began = now()
        self.earlier = 0.0

    @property
    def seconds_per_epoch(self) -> float | None:
        """Mean seconds of a finished epoch; ``None`` before the first."""
        return sum(self.epoch_seconds) / len(self.epoch_seconds) if self.epoch_seconds else None

    @property
    def tokens_per_second(self) -> float | None:
        """Real tokens trained on per second over the finished epochs; ``None`` before the first."""
        seconds = sum(self.epoch_seconds)
        return sum(self.epoch_tokens) / seconds if seconds else None

    def seconds_so_far(self) -> float:
        """Return the seconds of this epoch's training steps until now."""
        return self.running + (now() - self.since if self.since is not None else 0.0)

    def tokens_so_far(self) -> int:
        """Return this epoch's tokens until now. It waits for the device: ask seldom."""
        return int(self.tokens)

    def wall_seconds(self) -> float:
        """Return the seconds since this clock was made, and those of the processes before this one.

        What was compiled meanwhile is not among them.
        """
        return self.earlier + now() - self.began

    def pause(self) -> None:
        """Stop counting seconds."""
        if self.since is not None:
            self.running += now() - self.since
            self.since = None

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, of a half-done epoch too, as plain data."""
        return {
            "epoch_seconds": list(self.epoch_seconds),
            "epoch_tokens": list(self.epoch_tokens),
            "running": self.seconds_so_far(),
            "tokens": self.tokens_so_far(),
            "wall": self.wall_seconds(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting from there.

        Raises:
            ValueError, TypeError: if what was counted is no number, or below zero.
        """
        self.epoch_seconds = counted(state_dict["epoch_seconds"])
        self.epoch_tokens = list(map(int, counted(state_dict["epoch_tokens"])))
        self.running, tokens, self.earlier = counted(state_dict[key] for key in ("running", "tokens", "wall"))
        self.tokens = int(tokens)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start a new epoch."""
        self.tokens, self.running, self.since = 0, 0.0, now()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch's tokens, without waiting for the device."""
        self.batches += 1
        self.tokens = self.tokens + cast(Task, pl_module).tokens_in(batch)
        if self.since is None:
            self.since = now()

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave the validation out; close the epoch where it is the epoch's last."""
        if torch.cuda.is_available() and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self.pause()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Close the epoch."""
        self.pause()
        self.epoch_seconds.append(self.running)
        tokens = int(self.tokens)
        if trainer.world_size > 1:
            mine = torch.tensor(tokens, device=pl_module.device)
            tokens = int(trainer.strategy.reduce(mine, reduce_op="sum"))
        self.epoch_tokens.append(tokens)

"""Only empty hooks are left out."""

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, LambdaCallback
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from rnnlab.tasks.task import Task
from rnnlab.training.overhead import STEP_HOOKS, leave_out_empty_hooks, tiny_as_zero


class Counts(Callback):
    def __init__(self) -> None:
        self.starts = 0

    def on_train_batch_start(self, *arguments: Any) -> None:
        self.starts += 1


class CountsEnds(Counts):
    def __init__(self) -> None:
        super().__init__()
        self.ends = 0

    def on_train_batch_end(self, *arguments: Any) -> None:
        self.ends += 1


class OneWeight(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        loss: Tensor = self.layer(batch).sum()
        return loss

    def configure_optimizers(self) -> Any:
        return SGD(self.parameters(), lr=0.1)


def test_what_a_callback_or_its_parents_do_is_still_done(tmp_path: Path) -> None:
    seen: list[str] = []
    counts, ends = Counts(), CountsEnds()
    noted = LambdaCallback(on_before_zero_grad=lambda *arguments: seen.append("zero_grad"))
    callbacks = [counts, ends, noted]
    leave_out_empty_hooks(callbacks)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, callbacks=callbacks,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(OneWeight(), DataLoader(torch.ones(3, 1)))
    assert (counts.starts, ends.starts, ends.ends, len(seen)) == (3, 3, 3, 3)
    assert counts.on_train_batch_end is None
    assert noted.on_train_batch_end is None


def test_the_hooks_are_lightnings() -> None:
    assert all(callable(getattr(Callback, name)) for name in STEP_HOOKS)


class TwoParts(Task):
    def __init__(self) -> None:
        super().__init__(None, None)
        self.layer: nn.Linear | None = nn.Linear(1, 1)
        self.word: str | None = "one"


def test_text_set_the_quick_way_is_set_and_modules_stay_modules() -> None:
    task = TwoParts()
    task.word = "two"
    assert task.word == "two"
    task.word = None
    assert task.word is None
    assert [name for name, _ in task.named_children()] == ["layer"]
    task.layer = None
    assert not list(task.parameters())
    task.word = nn.Linear(1, 2)  # type: ignore[assignment]
    assert [name for name, _ in task.named_children()] == ["word"]


def test_tiny_numbers_are_zero_in_a_training_alone() -> None:
    tiny = torch.tensor(1e-40)
    assert tiny * 1 > 0
    with tiny_as_zero():
        assert tiny * 1 == 0
        with tiny_as_zero():
            pass
        assert tiny * 1 == 0
    assert tiny * 1 > 0

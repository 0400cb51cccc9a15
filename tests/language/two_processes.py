"""What two processes do in test_two_processes.py; each of them runs this file."""

import sys
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from rnnlab.data.streams import StreamLoader, TokenStream
from tests.language.streams import MEMORYLESS, language_model, text, trainer


class Columns(lightning.LightningDataModule):
    """Each process's own columns of one text."""

    def stream(self, batch_size: int) -> TokenStream:
        assert self.trainer is not None
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return TokenStream(text(1001), first_input=1, batch_size=batch_size, rank=rank, world_size=world_size)

    def train_dataloader(self) -> StreamLoader:
        return StreamLoader(self.stream(3), 11, random_lengths=True, seed=1)

    def val_dataloader(self) -> StreamLoader:
        return StreamLoader(self.stream(2), 13)


def together(**options: Any) -> lightning.Trainer:
    return trainer(devices=2, strategy="ddp", **options)


def score(folder: Path) -> None:
    torch.manual_seed(1)
    model = language_model(model=MEMORYLESS, head="adaptive", cutoffs=[4])
    runner = together()
    (found,) = runner.validate(model, datamodule=Columns(), verbose=False)
    if runner.is_global_zero:
        torch.save(found, folder / "scores.pt")


def fit(folder: Path, name: str, steps: str, resumed: str | None = None) -> None:
    torch.manual_seed(1)
    model = language_model(head="adaptive", cutoffs=[4, 8])
    keep = ModelCheckpoint(folder / name, save_last=True, save_top_k=0, every_n_train_steps=5)
    runner = together(max_epochs=2, max_steps=int(steps), enable_checkpointing=True, callbacks=[keep])
    runner.fit(model, datamodule=Columns(), ckpt_path=resumed)
    torch.save(model.state_dict(), folder / f"{name}_{runner.global_rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"score": score, "fit": fit}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])

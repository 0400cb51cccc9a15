"""The loader in bare loops and under Lightning: right epochs, and a resumed run sees the very next batch."""

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from rnnlab.data.batch import Batch
from rnnlab.data.bucketing import BucketedBatches
from rnnlab.data.documents import DocumentLoader, truncated_lengths
from rnnlab.errors import ConfigError
from tests.data.flat_split import FlatSplit

SPLIT = FlatSplit.random(documents=50, longest=12, seed=1)


def loader(**options: Any) -> DocumentLoader:
    batches = BucketedBatches(truncated_lengths(SPLIT, 8), batch_size=8, **options)
    return DocumentLoader(SPLIT, batches, max_length=8, truncate="tail")


def seen_in(batches: list[Batch]) -> list[list[int]]:
    return [batch.inputs.sum(1).tolist() for batch in batches]


class Recorder(lightning.LightningModule):
    """Learns nothing of use; remembers which batches it was shown in which epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 1)
        self.trained: list[tuple[int, list[int]]] = []
        self.validated: list[list[int]] = []

    def training_step(self, batch: Batch, index: int) -> Tensor:
        assert isinstance(batch, Batch)
        self.trained.append((self.current_epoch, batch.inputs.sum(1).tolist()))
        return self.embedding(batch.inputs).square().mean()  # type: ignore[no-any-return]

    def validation_step(self, batch: Batch, index: int) -> None:
        self.validated.append(batch.inputs.sum(1).tolist())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(model: Recorder, folder: Path, resume: Path | None = None, **options: Any) -> ModelCheckpoint:
    saver = ModelCheckpoint(dirpath=folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[saver],
        **{"max_epochs": 3, **options},
    )
    trainer.fit(model, loader(), loader(shuffle=False), ckpt_path=None if resume is None else str(resume))
    return saver


def expected(epochs: int) -> list[tuple[int, list[int]]]:
    fresh, all_seen = loader(), []
    for epoch in range(epochs):
        fresh.set_epoch(epoch)
        all_seen += [(epoch, seen) for seen in seen_in(list(fresh))]
    return all_seen


def test_a_bare_loop_sees_every_document_and_another_order_each_epoch() -> None:
    fresh = loader()
    epochs = []
    for epoch in (0, 1):
        fresh.set_epoch(epoch)
        batches = list(fresh)
        assert len(batches) == len(fresh) == 7
        assert sum(int(batch.lengths.sum()) for batch in batches) == truncated_lengths(SPLIT, 8).sum()
        epochs.append(seen_in(batches))
    assert epochs[0] != epochs[1]


def test_lightning_sets_the_epoch_from_the_first_on(tmp_path: Path) -> None:
    model = Recorder()
    fit(model, tmp_path)
    assert model.trained == expected(3)
    in_order = seen_in(list(loader(shuffle=False)))
    assert model.validated == (in_order[:2] + in_order * 3)  # the sanity check sees two


@pytest.mark.parametrize("step", [1, 5, 7, 8, 13, 14, 20])
def test_a_resumed_run_goes_on_with_the_very_next_batch(tmp_path: Path, step: int) -> None:
    fit(Recorder(), tmp_path / "whole")
    resumed = Recorder()
    fit(resumed, tmp_path / "rest", resume=tmp_path / "whole" / f"step={step}.ckpt")
    assert [seen for _, seen in resumed.trained] == [seen for _, seen in expected(3)[step:]]


def test_a_run_stopped_by_its_number_of_steps_goes_on_too(tmp_path: Path) -> None:
    first = Recorder()
    fit(first, tmp_path / "first", max_epochs=-1, max_steps=9)
    second = Recorder()
    fit(second, tmp_path / "second", resume=tmp_path / "first" / "step=9.ckpt")
    assert [seen for _, seen in first.trained + second.trained] == [seen for _, seen in expected(3)]


def test_it_can_be_overfitted_and_limited(tmp_path: Path) -> None:
    model = Recorder()
    fit(model, tmp_path, limit_train_batches=3, limit_val_batches=1, max_epochs=2)
    assert model.trained == expected(1)[:3] + [seen for seen in expected(2) if seen[0] == 1][:3]
    model = Recorder()
    fit(model, tmp_path, overfit_batches=2, max_epochs=2)
    assert len(model.trained) == 4


def test_its_place_loads_without_pickled_objects(tmp_path: Path) -> None:
    fit(Recorder(), tmp_path, max_epochs=1)
    checkpoint = torch.load(tmp_path / "step=3.ckpt", weights_only=True)
    states = checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    assert [(state["epoch"], state["position"]) for state in states] == [(0, 3)]


def test_an_unknown_truncation_is_refused() -> None:
    with pytest.raises(ConfigError, match="Choose from: head, head_tail, tail"):
        DocumentLoader(SPLIT, BucketedBatches([1]), truncate="middle")  # type: ignore[arg-type]

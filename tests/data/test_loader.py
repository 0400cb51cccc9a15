"""The one loader under all data: its place in an epoch, told and found again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from rnnlab.corpora.memory_problems import FirstToken
from rnnlab.data.batch import Batch
from rnnlab.data.bucketing import BucketedBatches, PlannedBatch
from rnnlab.data.loader import FirstBatches, ResumableLoader
from rnnlab.data.streams import StreamLoader, TokenStream
from rnnlab.data.task_data import sequences_in
from rnnlab.errors import ConfigError
from rnnlab.tasks.memory.data import MemoryLoader

LENGTHS = np.minimum(np.random.default_rng(0).lognormal(5.2, 0.8, size=3000).astype(int) + 1, 500)


class Planned(ResumableLoader[PlannedBatch, PlannedBatch]):
    """Yields what is planned for documents, without documents."""

    def __init__(self, batches: BucketedBatches) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def fingerprint(self) -> str:
        return self.batches.fingerprint

    def plan(self, epoch: int) -> list[PlannedBatch]:
        return self.batches.batches(epoch)

    def batch(self, planned: PlannedBatch) -> PlannedBatch:
        return planned


def loader(*arguments: Any, **options: Any) -> Planned:
    return Planned(BucketedBatches(LENGTHS, *arguments, **options))


def listed(batches: Sequence[PlannedBatch]) -> list[list[int]]:
    return [batch.documents.tolist() for batch in batches]


def pulled(batches: Planned, count: int) -> list[list[int]]:
    iterator = iter(batches)
    return listed([next(iterator) for _ in range(count)])


def test_the_epoch_is_right_when_set_after_iter() -> None:
    batches = loader(32)
    iterator = iter(batches)
    batches.set_epoch(2)
    assert listed(list(iterator)) == listed(batches.plan(2))


@pytest.mark.parametrize("position", [0, 1, 40, 93, 94])
@pytest.mark.parametrize("epoch", [0, 3])
@pytest.mark.smoke
def test_it_goes_on_with_the_very_next_batch(position: int, epoch: int) -> None:
    first = loader(32)
    first.set_epoch(epoch)
    pulled(first, position)
    state = first.state_dict()

    second = loader(32)
    iter(second)
    second.load_state_dict(state)
    iterator = iter(second)
    second.set_epoch(epoch)
    assert listed(list(iterator)) == listed(first.plan(epoch))[position:]
    assert second.state_dict()["position"] == len(second) == 94
    second.set_epoch(epoch + 1)
    assert pulled(second, 94) == listed(first.plan(epoch + 1))


def test_a_second_pass_over_an_epoch_starts_at_its_beginning() -> None:
    batches = loader(32)
    assert pulled(batches, 94) == pulled(batches, 94)
    pulled(batches, 5)
    assert len(pulled(batches, 94)) == 94


def test_a_state_from_an_epochs_end_goes_on_with_the_next_epoch_even_under_another_plan() -> None:
    first = loader(32)
    pulled(first, 94)
    second = loader(64)
    second.load_state_dict(first.state_dict())
    second.set_epoch(1)
    assert pulled(second, 47) == listed(second.plan(1))


def test_a_state_from_mid_epoch_is_refused_under_another_plan() -> None:
    first = loader(32)
    pulled(first, 7)
    for other in (
        loader(16),
        loader(32, seed=2),
        Planned(BucketedBatches(LENGTHS[1:], 32)),
        loader(32, rank=1, processes=2),
    ):
        with pytest.raises(
            ConfigError, match="saved after batch 7 of epoch 0, and the batches are no longer"
        ):
            other.load_state_dict(first.state_dict())


def streams() -> StreamLoader:
    stream = TokenStream(np.arange(100) % 7, first_input=1, batch_size=4)
    return StreamLoader(stream, 5, random_lengths=True, seed=3)


def made_up() -> MemoryLoader:
    return MemoryLoader(FirstToken(3), sequences=40, batch_size=8, seed=(1, 0), fresh=True)


def few() -> FirstBatches:
    return FirstBatches(made_up(), 3)


@pytest.mark.parametrize("make", [streams, made_up, few])
@pytest.mark.parametrize("epoch", [0, 2])
def test_every_kind_goes_on_with_the_very_next_batch(
    make: Callable[[], ResumableLoader[Any, Any]], epoch: int
) -> None:
    whole = make()
    whole.set_epoch(epoch)
    expected = list(whole)
    first = make()
    first.set_epoch(epoch)
    seen = [batch for batch, _ in zip(first, range(2), strict=False)][:2]
    second = make()
    second.load_state_dict({**first.state_dict(), "position": 2})
    iterator = iter(second)
    second.set_epoch(epoch)
    for batch, due in zip([*seen, *iterator], expected, strict=True):
        assert torch.equal(batch.inputs, due.inputs)
        assert torch.equal(batch.targets, due.targets)


@pytest.mark.parametrize(
    ("make", "state"),
    [(streams, {"epoch": 1, "next_window": 2}), (made_up, {"epoch": 1, "next_batch": 2})],
)
def test_the_places_of_earlier_versions_are_found(
    make: Callable[[], ResumableLoader[Any, Any]], state: dict[str, int]
) -> None:
    whole = make()
    whole.set_epoch(1)
    resumed = make()
    resumed.load_state_dict(state)
    for batch, due in zip(resumed, list(whole)[2:], strict=True):
        assert torch.equal(batch.inputs, due.inputs)


def test_sequences_are_counted_and_not_the_steps_that_are_told_something() -> None:
    lengths = torch.tensor([3, 1, 2])
    each = torch.tensor([[True, True, True], [False, False, False], [True, True, False]])
    batch = Batch(torch.zeros(3, 3), lengths, torch.zeros(3, 3), each)
    assert sequences_in(batch) == 2
    assert sequences_in(batch._replace(valid=each.any(dim=1))) == 2
    assert sequences_in(batch._replace(valid=None)) == 3  # type: ignore[arg-type]

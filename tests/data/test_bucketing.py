"""Batches of similar length: every document once, the same plan for every process, a place to go on from."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.bucketing import BucketedBatches, PlannedBatch, padding_share
from rnnlab.errors import ConfigError, DataError

LENGTHS = np.minimum(np.random.default_rng(0).lognormal(5.2, 0.8, size=3000).astype(int) + 1, 500)


def listed(batches: Sequence[PlannedBatch]) -> list[list[int]]:
    return [batch.documents.tolist() for batch in batches]


@settings(max_examples=150, derandomize=True)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=80),
    batch_size=st.none() | st.integers(1, 20),
    max_tokens=st.none() | st.integers(1, 200),
    processes=st.integers(1, 4),
    shuffle=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_every_document_comes_once_in_equally_many_steps_within_the_limits(
    lengths: list[int],
    batch_size: int | None,
    max_tokens: int | None,
    processes: int,
    shuffle: bool,
    epoch: int,
) -> None:
    if batch_size is None and max_tokens is None:
        batch_size = 3
    ranks = [
        BucketedBatches(lengths, batch_size, max_tokens, shuffle=shuffle, rank=rank, processes=processes)
        for rank in range(processes)
    ]
    plans = [rank.batches(epoch) for rank in ranks]
    assert {len(plan) for plan in plans} == {len(ranks[0])}
    batches = [batch for plan in plans for batch in plan]
    counted = [document for batch in batches for document in batch.documents[batch.valid]]
    assert sorted(counted) == list(range(len(lengths)))
    fillers = sum(int((~batch.valid).sum()) for batch in batches)
    assert fillers < processes or len(lengths) < len(batches)
    for documents, _ in batches:
        size, longest = len(documents), max(lengths[document] for document in documents)
        assert size >= 1
        assert batch_size is None or size <= batch_size
        assert max_tokens is None or size * longest <= max_tokens or size == 1


@settings(max_examples=60, derandomize=True)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=200),
    batch_size=st.integers(1, 8),
    processes=st.integers(2, 4),
    shuffle=st.booleans(),
)
def test_a_step_of_several_processes_has_the_documents_of_one_with_their_batches_together(
    lengths: list[int], batch_size: int, processes: int, shuffle: bool
) -> None:
    one = BucketedBatches(lengths, batch_size * processes, shuffle=shuffle).batches(2)
    plans = [
        BucketedBatches(lengths, batch_size, shuffle=shuffle, rank=rank, processes=processes).batches(2)
        for rank in range(processes)
    ]
    steps = zip(*plans, strict=True)
    together = [[number for part in step for number in part.documents[part.valid].tolist()] for step in steps]
    assert together == [batch.documents.tolist() for batch in one]


@pytest.mark.smoke
def test_the_plan_follows_from_seed_and_epoch() -> None:
    plan = listed(BucketedBatches(LENGTHS, 32, seed=1).batches(3))
    assert listed(BucketedBatches(LENGTHS, 32, seed=1).batches(3)) == plan
    assert listed(BucketedBatches(LENGTHS, 32, seed=2).batches(3)) != plan
    assert listed(BucketedBatches(LENGTHS, 32, seed=1).batches(4)) != plan


def test_batch_mates_and_their_order_change_between_epochs() -> None:
    batches = BucketedBatches(LENGTHS, 32, max_padding=0.05)
    first, second = (
        {frozenset(batch) for batch in listed(batches.batches(0))},
        {frozenset(batch) for batch in listed(batches.batches(1))},
    )
    assert len(first & second) < 0.05 * len(first)
    longest = [int(LENGTHS[batch].max()) for batch in listed(batches.batches(0))]
    assert longest != sorted(longest)


@pytest.mark.parametrize("limits", [{"batch_size": 32}, {"batch_size": None, "max_tokens": 8000}])
@pytest.mark.parametrize("max_padding", [0.02, 0.05, 0.1])
def test_padding_stays_below_what_is_borne(limits: dict[str, int | None], max_padding: float) -> None:
    batches = BucketedBatches(LENGTHS, **limits, max_padding=max_padding)  # type: ignore[arg-type]
    shares = [batches.padding_share(epoch) for epoch in range(3)]
    assert 0 < max(shares) < max_padding + 0.005
    by_hand = [(len(d) * LENGTHS[d].max(), LENGTHS[d].sum()) for d, _ in batches.batches(0)]
    positions, tokens = map(sum, zip(*by_hand, strict=True))
    assert shares[0] == pytest.approx((positions - tokens) / positions)


def test_unsorted_batches_pad_a_third_and_ours_do_not() -> None:
    unsorted = padding_share(np.array_split(np.arange(3000), 3000 // 32), LENGTHS)
    assert unsorted > 0.3
    assert BucketedBatches(LENGTHS, 32).padding_share() < 0.03


def test_evaluation_takes_the_longest_first_and_always_the_same() -> None:
    batches = BucketedBatches(LENGTHS, 32, shuffle=False)
    documents = np.concatenate([batch.documents for batch in batches.batches(0)])
    assert (np.diff(LENGTHS[documents]) <= 0).all()
    assert listed(batches.batches(0)) == listed(batches.batches(7))
    assert len(batches) == -(-3000 // 32)


def test_processes_make_each_step_with_batches_of_similar_length() -> None:
    ranks = [BucketedBatches(LENGTHS, 32, rank=rank, processes=2) for rank in range(2)]
    longest = np.array([[LENGTHS[d].max() for d, _ in rank.batches(0)] for rank in ranks])
    assert np.abs(longest[0] - longest[1]).mean() < 0.1 * longest.mean()


def test_fewer_documents_than_processes_are_filled_up_uncounted() -> None:
    plans = [BucketedBatches([5, 3], 8, rank=rank, processes=3).batches(0) for rank in range(3)]
    assert [len(plan) for plan in plans] == [1, 1, 1]
    counted = np.concatenate([plan[0].valid for plan in plans])
    assert sorted(counted.tolist()) == [False, True, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": None}, r"batches\.batch_size and batches\.max_tokens are both null"),
        ({"batch_size": 0}, r"batches\.batch_size is 0"),
        ({"max_tokens": -1}, r"batches\.max_tokens is -1"),
    ],
)
def test_impossible_limits_are_refused(arguments: dict[str, int | None], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BucketedBatches(LENGTHS, **arguments)  # type: ignore[arg-type]


def test_impossible_documents_are_refused() -> None:
    with pytest.raises(DataError, match="no document"):
        BucketedBatches([])
    with pytest.raises(ValueError, match=r"lengths\[1\] is 0; expected at least 1"):
        BucketedBatches([3, 0])
    with pytest.raises(ValueError, match=r"max_padding is 1\.0"):
        BucketedBatches([3], max_padding=1.0)
    with pytest.raises(ValueError, match="rank is 2; expected 0 to 1"):
        BucketedBatches([3], rank=2, processes=2)

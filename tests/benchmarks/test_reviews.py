import numpy as np
import pytest

from rnnlab.benchmarks.reviews import ChosenReviews
from rnnlab.data.bucketing import BucketedBatches
from rnnlab.text.encoded import EncodedSplit

MAX_LENGTH = 50


def split_of(lengths: np.ndarray) -> EncodedSplit:
    draw = np.random.default_rng(0)
    offsets = np.concatenate([[0], lengths.cumsum()])
    return EncodedSplit(
        tokens=draw.integers(1, 100, lengths.sum()).astype(np.int32),
        offsets=offsets.astype(np.int64),
        labels=draw.integers(0, 2, len(lengths)),
    )


@pytest.fixture
def lengths() -> np.ndarray:
    return np.random.default_rng(1).geometric(1 / 25, size=4000)


def chosen(lengths: np.ndarray, count: int) -> ChosenReviews:
    kept = np.minimum(lengths, MAX_LENGTH)
    plan = [batch.documents for batch in BucketedBatches(kept, 32).batches(0)]
    return ChosenReviews(split_of(lengths), plan, count, max_length=MAX_LENGTH, truncate="head", seed=1)


def rows(batches) -> list[tuple[int, ...]]:
    return sorted(
        tuple(tokens[:length].tolist())
        for batch in batches
        for tokens, length in zip(batch.inputs, batch.lengths, strict=True)
    )


def test_all_contestants_get_the_same_documents(lengths: np.ndarray) -> None:
    reviews = chosen(lengths, 8)
    assert rows(reviews.bucketed()) == rows(reviews.fixed())
    assert reviews.documents == 8 * 32
    assert reviews.bucketed().tokens == reviews.fixed().tokens == reviews.tokens


def test_only_real_tokens_are_counted(lengths: np.ndarray) -> None:
    for batches in (chosen(lengths, 8).bucketed(sweeps=2), chosen(lengths, 8).fixed(sweeps=2)):
        assert batches.tokens == sum(int(batch.lengths.sum()) for batch in batches)
        assert batches.positions == sum(batch.inputs.numel() for batch in batches)
        assert len(batches) == len(list(batches)) == 16


def test_fixed_batches_fill_the_full_length_with_padding(lengths: np.ndarray) -> None:
    for batch in chosen(lengths, 3).fixed():
        assert batch.inputs.shape == (32, MAX_LENGTH)
        padding = np.arange(MAX_LENGTH) >= batch.lengths.numpy()[:, None]
        assert not batch.inputs.numpy()[padding].any()


@pytest.mark.parametrize("count", [2, 6, 20])
def test_the_chosen_ones_are_as_long_as_the_corpus_on_average(lengths: np.ndarray, count: int) -> None:
    reviews = chosen(lengths, count)
    mean = np.minimum(lengths, MAX_LENGTH).mean()
    assert reviews.tokens / reviews.documents == pytest.approx(mean, rel=0.03)


def test_no_more_batches_than_there_are(lengths: np.ndarray) -> None:
    assert len(chosen(lengths, 10**6).plan) == 4000 // 32


def test_bucketed_batches_pad_little(lengths: np.ndarray) -> None:
    reviews = chosen(lengths, 20)
    positions = sum(batch.inputs.numel() for batch in reviews.bucketed())
    assert positions == reviews.bucketed().positions
    assert reviews.padding == pytest.approx(1 - reviews.tokens / positions)
    assert reviews.padding < 0.1

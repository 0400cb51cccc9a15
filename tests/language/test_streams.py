"""Columns and windows: every token once, in order, at its own place, on every process."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.data.streams import StreamBatch, StreamLoader, TokenStream, random_windows
from rnnlab.errors import ConfigError, DataError

EOS = 1


def sequence(total: int) -> np.ndarray:
    return np.arange(10, 10 + total, dtype=np.int32)


def columns_read(batches: list[StreamBatch]) -> list[list[tuple[int, int]]]:
    """The (input, target) pairs that each column counted, in the order they were read."""
    rows: list[list[tuple[int, int]]] = [[] for _ in range(len(batches[0].inputs))]
    for batch in batches:
        counted = torch.ones_like(batch.inputs, dtype=torch.bool) if batch.valid is None else batch.valid
        for row, tokens, targets, kept in zip(rows, batch.inputs, batch.targets, counted, strict=True):
            row.extend(zip(tokens[kept].tolist(), targets[kept].tolist(), strict=True))
    return rows


@given(
    total=st.integers(2, 200),
    batch_size=st.integers(1, 9),
    bptt=st.integers(1, 40),
    world_size=st.integers(1, 3),
    random_lengths=st.booleans(),
)
@pytest.mark.smoke
def test_every_token_is_predicted_once_after_the_one_before_it(
    total: int, batch_size: int, bptt: int, world_size: int, random_lengths: bool
) -> None:
    if total < 2 * batch_size * world_size:
        return
    rows, windows, predicted = [], set(), 0
    for rank in range(world_size):
        stream = TokenStream(
            sequence(total), first_input=EOS, batch_size=batch_size, rank=rank, world_size=world_size
        )
        loader = StreamLoader(stream, bptt, random_lengths=random_lengths, seed=3)
        batches = list(loader)
        assert len(batches) == len(loader)
        windows.add(tuple(batch.inputs.shape[1] for batch in batches))
        predicted += sum(batch.predicted for batch in batches)
        rows.extend(columns_read(batches))
    pairs = [pair for row in rows for pair in row]
    ids = [EOS, *sequence(total).tolist()]
    assert pairs == list(pairwise(ids))
    assert predicted == total == loader.predicted
    assert len(windows) == 1, "every process takes the same steps"
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


@pytest.mark.parametrize("total", [23, 40])
def test_turned_columns_keep_every_pair_and_begin_elsewhere_in_each_epoch(total: int) -> None:
    epochs = []
    for _ in range(2):
        loader = StreamLoader(
            TokenStream(sequence(total), first_input=EOS, batch_size=4), 3, partial_shuffle=True, seed=3
        )
        for epoch in (0, 1):
            loader.set_epoch(epoch)
            epochs.append(columns_read(list(loader)))
    plain = columns_read(list(StreamLoader(TokenStream(sequence(total), first_input=EOS, batch_size=4), 3)))
    for turned in epochs:
        for row, whole in zip(turned, plain, strict=True):
            at = whole.index(row[0])
            assert row == whole[at:] + whole[:at]
    assert epochs[:2] == epochs[2:]
    assert epochs[0] != epochs[1] != plain


def test_turned_columns_of_two_processes_are_those_of_one() -> None:
    def read(batch_size: int, rank: int, world_size: int) -> list[list[tuple[int, int]]]:
        stream = TokenStream(
            sequence(50), first_input=EOS, batch_size=batch_size, rank=rank, world_size=world_size
        )
        return columns_read(list(StreamLoader(stream, 4, partial_shuffle=True, seed=2)))

    assert read(2, 0, 2) + read(2, 1, 2) == read(4, 0, 1)


@pytest.mark.smoke
def test_places_after_a_columns_end_hold_zero() -> None:
    *_, last = StreamLoader(TokenStream(sequence(23), first_input=EOS, batch_size=3), 3)
    assert last.valid is not None
    assert last.valid.tolist() == [[True, True], [True, True], [True, False]]
    assert last.inputs[2, 1] == last.targets[2, 1] == 0
    assert last.predicted == 5


def test_only_the_first_window_starts() -> None:
    loader = StreamLoader(TokenStream(sequence(50), first_input=EOS, batch_size=2), 7)
    assert [batch.starts for batch in loader] == [True, False, False, False]


def test_random_windows_are_the_same_for_a_seed_and_differ_by_epoch() -> None:
    first, again, other, seeded = (
        random_windows(5000, 35, seed, epoch) for seed, epoch in [(1, 0), (1, 0), (1, 1), (2, 0)]
    )
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other)
    assert sorted(first) != sorted(seeded)
    assert sum(first) == 5000
    assert 30 < np.median(first) < 40


def test_learning_rate_follows_the_length_of_a_random_window() -> None:
    loader = StreamLoader(TokenStream(sequence(900), first_input=EOS, batch_size=2), 20, random_lengths=True)
    batches = list(loader)
    assert {batch.learning_rate_scale for batch in batches} != {1.0}
    assert all(batch.learning_rate_scale == batch.inputs.shape[1] / 20 for batch in batches)


@pytest.mark.parametrize("stop", [0, 1, 5, 13])
def test_goes_on_in_the_middle_of_an_epoch(stop: int) -> None:
    def make() -> StreamLoader:
        stream = TokenStream(sequence(500), first_input=EOS, batch_size=3)
        return StreamLoader(stream, 11, random_lengths=True, seed=5)

    whole = make()
    whole.set_epoch(4)
    expected = [batch.inputs.tolist() for batch in whole]
    stopped = make()
    stopped.set_epoch(4)
    reading = iter(stopped)
    seen = [next(reading).inputs.tolist() for _ in range(stop)]
    resumed = make()
    resumed.load_state_dict(stopped.state_dict())
    iterator = iter(resumed)
    resumed.set_epoch(4)
    assert seen + [batch.inputs.tolist() for batch in iterator] == expected
    assert [batch.inputs.tolist() for batch in resumed] == expected, "the next pass is whole again"


def test_a_finished_epoch_resumes_with_the_next_one() -> None:
    stream = TokenStream(sequence(100), first_input=EOS, batch_size=2)
    finished = StreamLoader(stream, 9)
    list(finished)
    resumed = StreamLoader(stream, 9)
    resumed.load_state_dict(finished.state_dict())
    iterator = iter(resumed)
    resumed.set_epoch(1)
    assert len(list(iterator)) == len(resumed)


def test_a_text_too_short_for_its_columns_is_refused_with_the_numbers() -> None:
    with pytest.raises(DataError, match=r"tiny has 39 tokens.*20 columns.*batch_size=20.*19 or less"):
        TokenStream(sequence(39), first_input=EOS, batch_size=20, name="tiny")
    with pytest.raises(ConfigError, match="bptt=0"):
        StreamLoader(TokenStream(sequence(40), first_input=EOS, batch_size=20), 0)

"""Collation: the right tokens of the right documents, zeros behind them."""

from typing import Literal

import numpy as np
import pytest
import torch
from lightning.fabric.utilities import move_data_to_device

from rnnlab.data.batch import Batch
from rnnlab.data.documents import check_truncation, collate, truncated_lengths
from rnnlab.errors import ConfigError
from tests.data.flat_split import FlatSplit

Kept = Literal["head", "tail", "head_tail"]


def kept_by_hand(tokens: list[int], max_length: int | None, truncate: str) -> list[int]:
    if max_length is None or len(tokens) <= max_length:
        return tokens
    head = {"head": max_length, "tail": 0, "head_tail": (max_length + 1) // 2}[truncate]
    tail = max_length - head
    return tokens[:head] + (tokens[-tail:] if tail else [])


@pytest.mark.parametrize("truncate", ["head", "tail", "head_tail"])
@pytest.mark.parametrize("max_length", [None, 1, 4, 5, 100])
def test_it_keeps_what_one_would_keep_by_hand(truncate: Kept, max_length: int | None) -> None:
    split = FlatSplit.random(documents=40, longest=12, seed=1)
    documents = np.random.default_rng(2).permutation(40)
    batch = collate(split, documents, max_length=max_length, truncate=truncate)
    assert batch.lengths.tolist() == truncated_lengths(split, max_length)[documents].tolist()
    assert batch.inputs.shape == (40, int(batch.lengths.max()))
    assert batch.inputs.dtype == batch.lengths.dtype == batch.targets.dtype == torch.int64
    for row, length, document in zip(batch.inputs, batch.lengths, documents, strict=True):
        assert row[:length].tolist() == kept_by_hand(split.document(document), max_length, truncate)
        assert (row[length:] == 0).all()
    assert batch.targets.tolist() == split.labels[documents].tolist()
    assert batch.valid.all()


def test_it_passes_on_what_is_counted() -> None:
    split = FlatSplit.random(documents=3, longest=5, seed=1)
    batch = collate(split, [2, 2], valid=np.array([True, False]))
    assert batch.valid.tolist() == [True, False]
    assert torch.equal(batch.inputs[0], batch.inputs[1])


@pytest.mark.parametrize(
    ("max_length", "truncate", "message"),
    [(3, "haed", "Did you mean head"), (0, "head", r"batches\.max_length is 0")],
)
def test_impossible_truncation_is_refused(max_length: int, truncate: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_truncation(max_length, truncate)


def test_a_batch_that_is_where_it_should_be_is_passed_on_as_it_is() -> None:
    batch = collate(FlatSplit.random(documents=3, longest=5, seed=1), [0, 1])
    assert move_data_to_device(batch, torch.device("cpu")) is batch
    moved = move_data_to_device(batch, torch.device("meta"))
    assert isinstance(moved, Batch)
    assert {name: part.device.type for name, part in moved._asdict().items()} == {
        **dict.fromkeys(("inputs", "targets", "valid"), "meta"),
        "lengths": "cpu",  # where they are read without waiting
    }

"""Batches of memory problems: fresh in training, fixed in evaluation, shared between processes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rnnlab.corpora.memory_problems import Adding, FirstToken
from rnnlab.data.batch import Batch
from rnnlab.errors import ConfigError
from rnnlab.tasks.memory.data import MemoryData, MemoryLoader
from rnnlab.training.fit import assemble_data

Compose = Callable[..., dict[str, Any]]


def equal(one: Batch, two: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_training_sequences_are_new_in_each_epoch_and_validation_is_not() -> None:
    data = MemoryData(corpus=FirstToken(6), seed=1, batch_size=8, train=20, validation=20, test=20)
    training, validation = data.train_loader(), data.val_dataloader()
    assert len(training) == 3
    first, seen = list(training), list(validation)
    assert [len(batch.lengths) for batch in first] == [8, 8, 4]
    training.set_epoch(1)
    validation.set_epoch(1)
    assert not any(equal(one, two) for one, two in zip(first, training, strict=True))
    assert all(equal(one, two) for one, two in zip(seen, validation, strict=True))
    assert not any(equal(one, two) for one, two in zip(seen, data.test_dataloader(), strict=True))
    other = MemoryData(corpus=FirstToken(6), seed=2, batch_size=8, train=20, validation=20, test=20)
    assert not any(equal(one, two) for one, two in zip(seen, other.val_dataloader(), strict=True))


def test_a_loader_goes_on_where_it_was() -> None:
    data = MemoryData(corpus=Adding(8), seed=1, batch_size=4, train=20)
    whole = data.train_loader()
    whole.set_epoch(3)
    batches = list(whole)
    cut = data.train_loader()
    cut.set_epoch(3)
    begun = iter(cut)
    next(begun), next(begun)
    going_on = data.train_loader()
    going_on.load_state_dict(cut.state_dict())
    assert all(equal(one, two) for one, two in zip(batches[2:], going_on, strict=True))
    assert len(list(going_on)) == 5


@pytest.mark.parametrize("sequences", [24, 21, 17])
def test_processes_share_every_sequence_once(sequences: int) -> None:
    def loader(rank: int, processes: int, batch_size: int) -> MemoryLoader:
        return MemoryLoader(
            FirstToken(6),
            sequences=sequences,
            batch_size=batch_size,
            seed=(1, 2),
            fresh=False,
            rank=rank,
            processes=processes,
        )

    alone = list(loader(0, 1, 8))
    shares = [list(loader(rank, 2, 4)) for rank in range(2)]
    assert len(shares[0]) == len(shares[1]) == len(alone)
    for step, batch in enumerate(alone):
        parts = [share[step] for share in shares]
        rows = torch.cat([part.inputs[part.valid] for part in parts])
        assert len(rows) == len(batch.inputs)
        assert sorted(map(str, rows.tolist())) == sorted(map(str, batch.inputs.tolist()))


def test_the_probe_is_small_and_always_the_same() -> None:
    data = MemoryData(corpus=Adding(40), seed=1, batch_size=8)
    probe = data.probe_batch(5)
    assert probe.inputs.shape[:2] == (5, int(probe.lengths.max()))
    assert equal(probe, data.probe_batch(5))
    assert len(data.probe_batch(100).lengths) == 8


def test_who_looks_at_nothing_is_scored(compose: Compose) -> None:
    classes = assemble_data(compose("data=first_token", "data.corpus.symbols=4")).baselines()
    assert classes["guessing"] == {"accuracy": 0.25, "loss": pytest.approx(np.log(4))}
    numbers = assemble_data(compose("data=adding", "batches.test=4000")).baselines()
    assert numbers["always the mean"]["loss"] == pytest.approx(1 / 6, rel=0.05)
    # The density of a sum of two uniform numbers is 1 at its mean: 2 * 0.04 of them lie within.
    assert numbers["always the mean"]["accuracy"] == pytest.approx(0.08, abs=0.02)


def test_text_is_no_memory_problem(compose: Compose) -> None:
    config = compose()
    config["data"] = {"corpus": {"_target_": "rnnlab.corpora.rotten_tomatoes.RottenTomatoes"}}
    with pytest.raises(ConfigError, match="rotten_tomatoes is no memory problem: task=memory makes its own"):
        assemble_data(config)


def test_a_split_must_have_sequences(compose: Compose) -> None:
    with pytest.raises(ConfigError, match=r"batches\.validation=0: expected at least 1"):
        assemble_data(compose("batches.validation=0"))


@pytest.mark.parametrize("task", ["sentiment", "language_model"])
def test_a_text_task_refuses_a_memory_problem(task: str, compose: Compose) -> None:
    config = compose("data=copy", "data.distance=20")
    config["batches"] = {"_target_": f"rnnlab.tasks.{task}.data.{_class(task)}"}
    config["tokenizer"] = {"_target_": "rnnlab.text.tokenizers.BasicEnglish"}
    with pytest.raises(ConfigError, match="data=copy has no documents, and this task reads text"):
        assemble_data(config)


def _class(task: str) -> str:
    return {"sentiment": "SentimentData", "language_model": "LanguageData"}[task]

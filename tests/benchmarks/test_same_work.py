"""The bare loop and the Trainer do the same arithmetic, so that their times can be compared."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.benchmarks.sentiment_speed import Contestant, chosen, contestant, documents
from rnnlab.benchmarks.settings import Settings
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.errors import ConfigError
from rnnlab.interruption import Interrupted
from rnnlab.training.fit import assemble_data
from tests.benchmarks.composed import composed
from tests.benchmarks.tiny_imdb import REVIEWS, write_archive

CPU = torch.device("cpu")
SMALL = (
    *("scheduler=none", "optimizer.lr=0.01", "batches.batch_size=8", "batches.max_length=40"),
    *("data.vocabulary.min_frequency=1", "trainer=cpu"),
)
ENCODER = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "cell": "gru", "hidden_size": 6}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("rnnlab.corpora.imdb.Imdb.reviews_per_folder", REVIEWS)
    write_archive(tmp_path / "data")
    with composed(*SMALL) as found:
        found["task"]["embedding_size"] = 5
        return {**found, "model": {**ENCODER, "backend": "torch"}}


def weights(one: Contestant) -> list[torch.Tensor]:
    model = one.task if isinstance(one, TrainerPath) else one.model
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_bare_loop_and_trainer_reach_the_same_weights(config: dict[str, Any], tmp_path: Path) -> None:
    data = assemble_data(config)
    data.prepare()
    reviews = chosen(data, 4)
    reached, turns = {}, {}
    for name in ("trainer", "bare"):
        torch.manual_seed(3)
        one = contestant(name, config, data, tmp_path / name, CPU)
        turns[name] = one.turn(documents(name, reviews, sweeps=2))
        reached[name] = weights(one)
    assert turns["trainer"].training.tokens == turns["bare"].training.tokens == 2 * reviews.tokens
    assert turns["trainer"].inference.tokens == turns["bare"].inference.tokens == 2 * reviews.tokens
    assert turns["trainer"].loss == pytest.approx(turns["bare"].loss, rel=1e-5)
    for ours, bare in zip(reached["trainer"], reached["bare"], strict=True):
        torch.testing.assert_close(ours, bare, rtol=0, atol=0)


def test_reference_models_learn(config: dict[str, Any], tmp_path: Path) -> None:
    data = assemble_data(config)
    data.prepare()
    reviews = chosen(data, 6)
    for name in ("padded", "packed"):
        torch.manual_seed(0)
        one = contestant(name, config, data, tmp_path, CPU)
        losses = [one.turn(documents(name, reviews, sweeps=2)).loss for _ in range(3)]
        assert losses[2] < losses[1] < losses[0]


def test_epochs_go_on_from_the_checkpoint_before(config: dict[str, Any], tmp_path: Path) -> None:
    data = assemble_data(config)
    data.prepare()
    ends = []
    for epochs in ([2], [1, 2]):
        torch.manual_seed(0)
        one = contestant("trainer", config, data, tmp_path / str(len(epochs)), CPU)
        assert isinstance(one, TrainerPath)
        for epoch in epochs:
            turn = one.fit(epoch, data, one.folder.last if epoch > epochs[0] else None)
        assert turn.training.tokens == int(data.encoded.splits["train"].lengths.clip(max=40).sum())
        ends.append(weights(one))
    for at_once, in_two in zip(*ends, strict=True):
        torch.testing.assert_close(at_once, in_two, rtol=0, atol=0)


def test_what_cannot_be_compared_is_refused(config: dict[str, Any]) -> None:
    from rnnlab.benchmarks.sentiment_speed import check_comparable

    check_comparable(config, Settings.of(config))
    config["task"]["pooling"] = "mean_max"
    config["batches"]["max_length"] = None
    with pytest.raises(ConfigError, match=r"task\.pooling must be last.*batches\.max_length must be given"):
        check_comparable(config, Settings.of(config))
    config["contestants"] = ["trainer", "neuralforecast"]
    with pytest.raises(ConfigError, match="there is no contestant neuralforecast"):
        check_comparable(config, Settings.of(config))


@pytest.mark.parametrize("hook", ["on_train_epoch_start", "on_validation_start"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_benchmark_whenever_it_comes(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: str, number: int
) -> None:
    data = assemble_data(config)
    data.prepare()
    one = contestant("trainer", config, data, tmp_path, CPU)
    assert isinstance(one, TrainerPath)
    monkeypatch.setattr(type(one.task), hook, lambda task: os.kill(os.getpid(), number))
    with pytest.raises(Interrupted, match="no figures before its end"):
        one.turn(documents("trainer", chosen(data, 2), sweeps=1))

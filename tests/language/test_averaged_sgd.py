"""NT-ASGD: plain SGD, then also the mean of the weights, and both through a checkpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from rnnlab.errors import ConfigError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.optimization.averaged_sgd import AveragedSGD
from rnnlab.optimization.schedules import ConstantThenDecay
from rnnlab.training.fit import averaging
from rnnlab.training.train import train
from tests.language.streams import language_model, loader, scores, trainer

AVERAGED = {"_target_": "rnnlab.optimization.averaged_sgd.AveragedSGD", "lr": 5.0, "patience": 1}


def weights(count: int = 2) -> list[torch.nn.Parameter]:
    torch.manual_seed(1)
    return [torch.nn.Parameter(torch.randn(3, 2)) for _ in range(count)]


def test_is_plain_sgd_before_the_trigger() -> None:
    ours, theirs = weights(), weights()
    optimizers: list[Any] = [
        AveragedSGD(ours, lr=0.3, weight_decay=0.1),
        torch.optim.SGD(theirs, lr=0.3, weight_decay=0.1),
    ]
    for optimizer, group in zip(optimizers, (ours, theirs), strict=True):
        for _ in range(3):
            optimizer.zero_grad()
            sum(weight.pow(3).sum() for weight in group).backward()
            optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("losses", "patience", "triggers"),
    [
        ([5, 4, 3, 2], 1, False),
        ([5, 4, 4.5], 1, False),
        ([5, 4, 4.5, 4.1], 1, True),
        ([5, 4, 4.5, 4.1], 2, False),
        ([4, 5, 4.5, 4.1], 2, True),
        ([5, 6, 7], 1, True),
        ([5, 6], 1, False),
    ],
)
def test_averaging_begins_where_there_was_no_progress(
    losses: list[float], patience: int, triggers: bool
) -> None:
    optimizer = AveragedSGD(weights(), patience=patience)
    for loss in losses:
        assert not optimizer.is_averaging
        optimizer.observe(loss)
    assert optimizer.is_averaging == triggers


def test_shows_the_mean_of_the_weights_since_the_trigger() -> None:
    (weight,) = weights(1)
    optimizer = AveragedSGD([weight], lr=0.1, weight_decay=0.0, patience=1)
    seen = []
    for step in range(6):
        if step == 2:
            for loss in (1.0, 2.0, 2.0):
                optimizer.observe(loss)
        weight.grad = torch.full_like(weight, float(step + 1))
        optimizer.step()
        seen.append(weight.detach().clone())
        optimizer.use_average()
        expected = torch.stack(seen[2:]).mean(dim=0) if step >= 2 else seen[-1]
        torch.testing.assert_close(weight.detach(), expected)
        if step % 2:  # a step goes on from the trained weights by itself
            optimizer.use_trained()
            torch.testing.assert_close(weight.detach(), seen[-1])


def test_a_language_model_keeps_and_scores_the_average_and_resumes_with_both(tmp_path: Path) -> None:
    def run(epochs: int, resumed: str | None) -> Any:
        torch.manual_seed(1)
        model = language_model(optimizer=AVERAGED)
        keep = ModelCheckpoint(tmp_path, save_last=True, save_top_k=0, every_n_epochs=1)
        runner = trainer(max_epochs=epochs, enable_checkpointing=True, callbacks=[keep])
        runner.fit(model, loader(), loader(2, 50), ckpt_path=resumed)
        return model, runner

    model, runner = run(9, None)
    optimizer = runner.optimizers[0]
    assert optimizer.is_averaging
    trained = optimizer.state[model.embedding.weight]["trained"]
    assert not torch.equal(model.embedding.weight, trained)
    assert scores(model, loader(2, 50))["loss"] == pytest.approx(
        float(runner.callback_metrics["validation/loss"])
    )
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(kept["embedding.weight"], model.embedding.weight)
    assert run(7, None)[1].optimizers[0].is_averaging
    resumed, _ = run(9, str(tmp_path / "last.ckpt"))
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in model.state_dict().items())


def test_bad_options_are_refused() -> None:
    with pytest.raises(ValueError, match="lr=-1"):
        AveragedSGD(weights(), lr=-1)
    with pytest.raises(ValueError, match="patience=0"):
        AveragedSGD(weights(), patience=0)


def test_constant_then_decay_is_zarembas_schedule() -> None:
    optimizer = torch.optim.SGD(weights(), lr=20.0)
    schedule = ConstantThenDecay(optimizer, constant_epochs=4, decay=0.5)
    rates = []
    for _ in range(7):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [20, 20, 20, 20, 10, 5, 2.5]


def test_an_exponential_mean_is_validated_kept_tested_and_gone_on_with(tmp_path: Path) -> None:
    roses = tmp_path / "roses.txt"
    roses.write_text("\n".join(["the rose is red .", "the violet is blue .", ""] * 40), encoding="utf-8")
    words = ["task=language_model", "data=text", f"data.corpus.train={roses}", "batches.batch_size=4"]
    words += ["batches.bptt=9", "model.hidden_size=4", "model.backend=torch", "task.embedding_size=4"]
    words += ["trainer=cpu", "logger=none", "baselines=false", "scheduler=none", "optimizer.lr=0.02"]
    mean = [*words, "callbacks.averaging.decay=0.8"]
    whole = train([*mean, "trainer.max_epochs=2"], tmp_path / "whole")
    first = train([*mean, "trainer.max_epochs=1"], tmp_path / "parts")
    train([f"resume={first}", "trainer.max_epochs=2"])
    last, parts = (read_checkpoint(run / "checkpoints" / "last.ckpt") for run in (whole, first))
    for name, mean_of in last["state_dict"].items():
        assert torch.equal(mean_of, parts["state_dict"][name])
        assert torch.equal(last["current_model_state"][name], parts["current_model_state"][name])
    assert not torch.equal(
        last["state_dict"]["embedding.weight"], last["current_model_state"]["embedding.weight"]
    )
    metrics = json.loads((whole / "metrics.json").read_text())
    (kept,) = (state for name, state in last["callbacks"].items() if "KeepBest" in name)
    assert metrics["validation"]["loss"] == pytest.approx(kept["metrics"]["loss"], rel=1e-6)
    assert json.loads((first / "metrics.json").read_text())["test"] == metrics["test"]


def test_weights_are_averaged_once() -> None:
    with pytest.raises(ConfigError, match="averages the weights itself"):
        averaging({"callbacks": {"averaging": {"decay": 0.9}}, "optimizer": AVERAGED})

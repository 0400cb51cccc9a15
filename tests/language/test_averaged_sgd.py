"""NT-ASGD: plain SGD, then also the mean of the weights, and both through a checkpoint."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from rnnlab.optimization.averaged_sgd import AveragedSGD
from rnnlab.optimization.schedules import ConstantThenDecay
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

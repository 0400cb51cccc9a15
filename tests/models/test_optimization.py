"""Schedules for trainings of any length."""

import pytest
import torch

from rnnlab.errors import ConfigError
from rnnlab.optimization.building import build_optimizer, build_schedule

ONE_CYCLE = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "interval": "step", "pct_start": 0.25}


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8, 100])
def test_one_cycle_lasts_as_long_as_the_training(steps: int) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = build_optimizer({"_target_": "torch.optim.Adam", "lr": 0.1}, [weight])
    built = build_schedule(ONE_CYCLE, optimizer, total_steps=steps, monitor="validation/loss", mode="min")
    for _ in range(steps - 1):
        optimizer.step()
        built["scheduler"].step()
    assert 0 <= optimizer.param_groups[0]["lr"] <= 0.1


def test_a_wrong_option_names_its_section() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(ConfigError, match="optimizer: Invalid learning rate"):
        build_optimizer({"_target_": "torch.optim.Adam", "lr": -1.0}, [weight])
    optimizer = build_optimizer({"_target_": "torch.optim.Adam", "lr": 0.1}, [weight])
    wrong = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "pct_start": 2.0}
    with pytest.raises(ConfigError, match="scheduler: "):
        build_schedule(wrong, optimizer, total_steps=10, monitor="validation/loss", mode="min")

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


def test_every_optimizer_of_torch_works_with_its_own_keys_alone() -> None:
    classes = [cls for cls in vars(torch.optim).values() if is_class_of(cls, torch.optim.Optimizer)]
    assert len(classes) > 10
    for cls in classes:
        weight = torch.nn.Parameter(torch.ones(2, 2))
        optimizer = build_optimizer({"_target_": f"torch.optim.{cls.__name__}", "lr": 0.1}, [weight])
        assert type(optimizer) is cls
        weight.grad = torch.ones(2, 2).to_sparse() if cls is torch.optim.SparseAdam else torch.ones(2, 2)
        optimizer.step(lambda: torch.tensor(1.0))
        assert not torch.equal(weight, torch.ones(2, 2))


def test_every_schedule_of_torch_works_with_its_own_keys_alone() -> None:
    needed = {"StepLR": {"step_size": 2}, "MultiStepLR": {"milestones": [2]}, "CyclicLR": {"base_lr": 0.1}}
    needed |= {"CosineAnnealingLR": {"T_max": 4}, "CosineAnnealingWarmRestarts": {"T_0": 2}}
    needed |= {"ExponentialLR": {"gamma": 0.9}}
    schedules = torch.optim.lr_scheduler
    of_objects = {"LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler", "LRScheduler"}
    found = {name for name, cls in vars(schedules).items() if is_class_of(cls, schedules.LRScheduler)}
    found = {name for name in found if name[0] != "_"}
    for name in sorted(found - of_objects):
        optimizer = build_optimizer(
            {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9}, [torch.nn.Parameter(torch.ones(2))]
        )
        config = {"_target_": f"torch.optim.lr_scheduler.{name}", **needed.get(name, {})}
        built = build_schedule(config, optimizer, total_steps=8, monitor="validation/loss", mode="min")
        assert type(built["scheduler"]).__name__ == name
    assert len(found) > 12


def is_class_of(value: object, base: type) -> bool:
    return isinstance(value, type) and issubclass(value, base) and value is not base


def test_keys_of_another_choice_are_told_of() -> None:
    config = {"_target_": "torch.optim.Rprop", "lr": 0.1, "momentum": 0.5}
    with pytest.raises(
        ConfigError, match=r"without them: optimizer=custom optimizer\._target_=torch\.optim\.Rprop"
    ):
        build_optimizer(config, [torch.nn.Parameter(torch.ones(2))])

"""Optimizer and learning-rate schedule from plain configuration."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from rnnlab.build import build, locate_class
from rnnlab.errors import ConfigError


def build_optimizer(config: Mapping[str, Any], parameters: Iterable[Any]) -> Optimizer:
    """Build the optimizer that ``config`` describes over ``parameters`` (tensors or groups of them).

    Raises:
        ConfigError: if the class or one of its options is unknown.
    """
    with told_as_config_error("optimizer"), told_of_custom("optimizer", config):
        return build(config, Optimizer, "optimizer", params=parameters)


def build_schedule(
    config: Mapping[str, Any], optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str
) -> dict[str, Any]:
    """Build the learning-rate schedule that ``config`` describes, in the form Lightning takes.

    Args:
        config: ``_target_`` (an ``LRScheduler``), ``interval`` (``step`` or ``epoch``) and its options.
        optimizer: what the schedule moves.
        total_steps: optimizer steps of the whole training, given to a schedule that asks for
            ``total_steps``; a ``max_lr`` that is not given is the optimizer's learning rate.
        monitor: the metric that a schedule such as ``ReduceLROnPlateau`` watches.
        mode: whether that metric is best at its ``min`` or its ``max``.

    Raises:
        ConfigError: if the class or one of its options is unknown.
    """
    if config.get("interval", "epoch") not in ("step", "epoch"):
        raise ConfigError(f"scheduler.interval={config['interval']}: expected step or epoch.")
    options = {key: value for key, value in config.items() if key != "interval"}
    cls = locate_class(options.get("_target_", ""), LRScheduler, "scheduler")
    takes = inspect.signature(cls).parameters
    facts: dict[str, Any] = {"optimizer": optimizer}
    if "total_steps" in takes and "total_steps" not in options:
        # PyTorch's one-cycle divides by zero where the way up takes exactly one step.
        warm_up = options.get("pct_start", 0.3) * total_steps
        facts["total_steps"] = total_steps + (warm_up == 1)
    if "max_lr" in takes and "max_lr" not in options:
        facts["max_lr"] = [group["lr"] for group in optimizer.param_groups]
    if "mode" in takes and "mode" not in options and takes["mode"].default in ("min", "max"):
        facts["mode"] = mode
    with told_as_config_error("scheduler"), told_of_custom("scheduler", config):
        schedule = build(options, LRScheduler, "scheduler", **facts)
    return {"scheduler": schedule, "interval": config.get("interval", "epoch"), "monitor": monitor}


@contextmanager
def told_of_custom(where: str, config: Mapping[str, Any]) -> Iterator[None]:
    """Say of options that a class does not take where they may come from: the file of another class."""
    try:
        yield
    except ConfigError as error:
        if "has no such option" not in str(error):
            raise
        raise ConfigError(
            f"{error}\nThe keys of a choice stay beside another _target_; without them: "
            f"{where}=custom {where}._target_={config['_target_']}"
        ) from error


@contextmanager
def told_as_config_error(where: str) -> Iterator[None]:
    """Turn what PyTorch says of an option out of range into an error that names the section."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error


def decayed_apart(parameters: Iterable[nn.Parameter]) -> list[dict[str, Any]]:
    """Return the trainable ones in groups: matrices, which weight decay may shrink, and biases, which not."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    vectors = [parameter for parameter in trained if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}]
    if vectors:
        groups.append({"params": vectors, "weight_decay": 0.0})
    return groups

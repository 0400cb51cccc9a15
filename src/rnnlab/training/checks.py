"""What can be told of a configuration before any data is read: cheap mistakes are told at once."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from rnnlab.build import build, check_arguments, fits, locate_class
from rnnlab.command_line import check_sections
from rnnlab.corpora.folds import check_folds
from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError
from rnnlab.optimization.building import build_optimizer, build_schedule
from rnnlab.ranges import check_ranges
from rnnlab.tasks.task import Task, task_arguments
from rnnlab.training.hardware import (
    CUDA_GRAPH,
    accelerator_of,
    check_accelerator,
    check_cuda_graph,
    check_devices,
    check_precision_name,
    check_scored,
)
from rnnlab.training.loggers import check_keys
from rnnlab.training.processes import quieten

log = logging.getLogger(__name__)

SECTIONS = {
    *("seed", "folds", "fold", "tags", "resume", "init_from", "baselines"),
    *("task", "batches", "data", "tokenizer", "model"),
    *("optimizer", "scheduler", "trainer", "callbacks", "logger"),
}
CALLBACKS = ("checkpoint", "early_stopping", "averaging", "diagnostics", "extra")
"""Keys of the section ``callbacks``."""
STEPS = 1000
"""Of the training for which a schedule is tried."""


def check(config: Mapping[str, Any]) -> None:
    """Check sections, keys, numbers and the machine.

    Raises:
        ConfigError: if a section or a key is unknown, a value out of range, or the machine lacks a device.
    """
    check_sections(dict(config), SECTIONS)
    check_keys("callbacks", config["callbacks"], CALLBACKS)
    if not isinstance(config["baselines"], bool):
        raise ConfigError(f"baselines={config['baselines']}: expected true or false.")
    tags = config.get("tags")
    if not fits(tags, list[str] | None):
        raise ConfigError(f"tags={tags}: expected a list of words, such as tags=[baseline,paper].")
    check_folds(config.get("folds"), config.get("fold"))
    check_scored(config["trainer"])
    check_ranges(config)
    check_accelerator(config["trainer"]["accelerator"])
    check_devices(config["trainer"])
    check_cuda_graph(config["trainer"])
    check_precision_name(config["trainer"])
    if config["optimizer"].get("lr") == 0:
        log.warning("optimizer.lr=0: nothing is learnt, the weights stay as they begin.")


def rehearse(config: Mapping[str, Any]) -> None:
    """Build what needs no data: optimizer, schedule, Trainer, and the task for made-up data.

    The task takes no memory, and no random number of the training's is drawn: that is seeded later.

    Raises:
        ConfigError: if a part can't be built, or its weights are larger than the machine's memory.
    """
    quieten()
    optimizer = build_optimizer(config["optimizer"], [nn.Parameter(torch.zeros(2, 2))])
    if config["scheduler"]:
        build_schedule(
            config["scheduler"], optimizer, total_steps=STEPS, monitor="validation/loss", mode="min"
        )
    build_trainer(
        config["trainer"], {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    )
    served: type[TaskData] = locate_class(config["batches"].get("_target_"), TaskData, "batches")
    arguments = served.rehearsal(config)
    if arguments is not None and not config.get("init_from"):  # what it starts from may contradict first
        rehearse_task(config, arguments)


def rehearse_task(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Build the task where tensors have shapes and no content.

    Raises:
        ConfigError: if it can't be built, or its encoder is larger than the machine's memory.
    """
    parts = {name: config[name] for name in ("model", "optimizer", "scheduler")}
    given = task_arguments(config)
    try:
        with torch.device("meta"):
            task = build(given, Task, "task", **parts, **arguments)
    except ConfigError:
        raise
    except Exception as error:  # code of one's own may need a content; then mistakes show with the data
        if "overflow" in str(error):
            raise ConfigError(f"model, task: these sizes are beyond any machine ({error}).") from error
        return
    needed = sum(
        weight.numel() * weight.element_size() for weight in getattr(task, "encoder", task).parameters()
    )
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else needed
    if needed > there:
        raise ConfigError(
            f"model: the encoder's weights would take {needed / 2**30:,.0f} GiB, and this machine has "
            f"{there / 2**30:,.0f}. Lower model.hidden_size, model.layers or task.embedding_size."
        )


def build_trainer(settings: Mapping[str, Any], facts: Mapping[str, Any]) -> lightning.Trainer:
    """Build the Trainer that the configuration's section describes, with ``facts`` that it can't say.

    Raises:
        ConfigError: if an option is unknown or out of range.
    """
    arguments = {name: value for name, value in settings.items() if name != CUDA_GRAPH}
    options = {**arguments, "accelerator": accelerator_of(settings["accelerator"])}
    check_arguments(lightning.Trainer, options, facts, "trainer")
    try:
        return lightning.Trainer(**{"enable_model_summary": False, **options, **facts})
    except (ValueError, TypeError, RuntimeError, ModuleNotFoundError, MisconfigurationException) as error:
        raise ConfigError(f"trainer: {error}") from error

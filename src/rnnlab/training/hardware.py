"""Checks that the machine can do what the configuration asks for, and what it is: nothing is substituted.

Where an argument is called ``trainer`` it is the configuration's section.
"""

import logging
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from rnnlab.errors import ConfigError
from rnnlab.processors import bfloat16_is_faster, processors
from rnnlab.tasks.task import Task

log = logging.getLogger(__name__)

OF_SEVERAL_MACHINES = ("NODE_RANK", "GROUP_RANK", "SLURM_NTASKS", "OMPI_COMM_WORLD_RANK", "LSB_JOBID")
"""Variables by which clusters, and torchrun, tell each machine of a training which it is."""
CUDA_GRAPH = "cuda_graph"
"""The key of the section ``trainer`` that is no argument of Lightning's Trainer."""
MEANT = {"16": "16-mixed", "bf16": "bf16-mixed"}
"""Lightning's short names of precisions, and what they mean: one name each is enough for all that ask."""
AUTOCAST = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


def check_accelerator(accelerator: str) -> None:
    """Check that the machine has the accelerator.

    Raises:
        ConfigError: if a GPU is asked for and there is none.
    """
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigError(
            "trainer=gpu, but PyTorch sees no CUDA GPU here. Use trainer=cpu, or trainer=auto, "
            "which takes a GPU where there is one."
        )
    note_that_no_gpu_is_there()


def check_cuda_graph(trainer: Mapping[str, Any]) -> None:
    """Check that steps are not to be recorded where there is no GPU.

    Raises:
        ConfigError: if they are.
    """
    if trainer.get(CUDA_GRAPH) and accelerator_of(trainer["accelerator"]) not in ("cuda", "gpu"):
        raise ConfigError(
            f"trainer.{CUDA_GRAPH}=true records what a CUDA GPU is given to do, and this training would "
            f"run on the CPU. Set trainer.{CUDA_GRAPH}=false."
        )


def take_cuda_graph(task: Task, config: Mapping[str, Any]) -> None:
    """Let the task record its steps where the configuration asks for it; say why where it can't."""
    if not config["trainer"].get(CUDA_GRAPH):
        return
    reason = task.graph_refusal(config)
    if reason is not None:
        log.warning("trainer.%s=true is left out, and steps go on one by one: %s.", CUDA_GRAPH, reason)
        return
    task.record_steps()


def check_devices(trainer: Mapping[str, Any]) -> None:
    """Check that no more processes are asked for than the processors can work on, nor machines without any.

    Raises:
        ConfigError: if they are: on a CPU, Lightning starts a process for each of its ``devices``, and for
            each further machine it waits.
    """
    nodes = trainer.get("num_nodes", 1)
    if nodes > 1 and not set(OF_SEVERAL_MACHINES) & set(os.environ):
        raise ConfigError(
            f"trainer.num_nodes={nodes}: nothing here says which of {nodes} machines this is. Start the "
            "command by srun or torchrun on each, or set MASTER_ADDR and NODE_RANK; one machine: "
            "trainer.num_nodes=1."
        )
    devices, there = trainer.get("devices", 1), processors()
    count = int(devices) if str(devices).isdecimal() and len(str(devices)) < 10 else 1
    if accelerator_of(trainer["accelerator"]) == "cpu" and count > there and "strategy" not in trainer:
        raise ConfigError(
            f"trainer.devices={devices}: on a CPU each device is a process of its own, and there are "
            f"{there} processors here. One process uses them all: trainer.devices=1. To have so many all the "
            "same: +trainer.strategy=ddp."
        )


def check_scored(trainer: Mapping[str, Any]) -> None:
    """Check that a training will be validated, which chooses its best checkpoint, and tested.

    Raises:
        ConfigError: if it won't.
    """
    for limit, use in (
        ("limit_val_batches", "the best checkpoint is chosen on the validation split"),
        ("limit_test_batches", "a run ends with its score on the test split"),
    ):
        if trainer.get(limit) == 0:
            raise ConfigError(f"trainer.{limit}=0: {use}. Give it a batch at least: trainer.{limit}=1.")
    every, epochs = trainer.get("check_val_every_n_epoch"), trainer.get("max_epochs")
    if every and epochs and 0 < epochs < every:
        raise ConfigError(
            f"trainer.check_val_every_n_epoch={every}: in trainer.max_epochs={epochs} no validation would "
            "take place, and the best checkpoint is chosen by one."
        )


def accelerator_of(name: str) -> str:
    """Return what ``auto`` means: a CUDA GPU where there is one, else the CPU.

    Lightning's own would take a Mac's GPU, which knows no float64, that metrics are counted in.
    """
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def note_that_no_gpu_is_there() -> None:
    """Spare the optimizer the search for a GPU at every step, where there is none.

    PyTorch's optimizers ask before each step whether CUDA is there. Lightning has them ask the driver's
    library, which leaves other processes' use of CUDA alone; where there is no driver, the library is looked
    for on disk each time, which takes a tenth of a small network's step. PyTorch's own answer is remembered.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


def check_precision_name(trainer: Mapping[str, Any]) -> None:
    """Check that mixed precision is called by its full name.

    Raises:
        ConfigError: if it isn't, with that name.
    """
    meant = MEANT.get(str(trainer["precision"]))
    if meant is not None:
        raise ConfigError(
            f"trainer.precision={trainer['precision']}: here that is trainer.precision={meant}."
        )


def check_precision(task: Task, precision: str, device: torch.device) -> None:
    """Check, by one step on two tokens, that the device's kernels do the precision for this encoder.

    An encoder of the user's own that does not tell its ``input_size`` is not tried.

    Raises:
        ConfigError: if they don't; oneDNN's LSTM, for one, needs a CPU with bf16 units for bf16.
    """
    encoder = getattr(task, "encoder", None)
    size = getattr(encoder, "input_size", None)
    if precision not in AUTOCAST or encoder is None or size is None:  # nobody knows what to feed it
        return
    inputs = torch.zeros(1, 2, size, device=device)
    try:
        with torch.autocast(device.type, dtype=AUTOCAST[precision]):
            outputs, _ = encoder.to(device)(inputs, None)
        outputs.float().sum().backward()
        encoder.zero_grad(set_to_none=True)
    except RuntimeError as error:
        raise ConfigError(
            f"trainer.precision={precision}: this {device.type.upper()} can't do it for this encoder "
            f"({str(error).splitlines()[0]}). Use trainer.precision=32-true."
        ) from error


def tell_precision(precision: str, device: torch.device) -> None:
    """Say what mixed precision does on a CPU, and that it is slower, where it is."""
    if precision not in AUTOCAST or device.type != "cpu":
        return
    scans = "the recurrent scans that are rnnlab's own go on in float32"
    if precision == "bf16-mixed" and bfloat16_is_faster():
        log.info("trainer.precision=%s: products of matrices in bfloat16; %s.", precision, scans)
        return
    log.warning(
        "trainer.precision=%s: this processor multiplies it no faster than float32, so that "
        "trainer.precision=32-true is more exact and as fast, or faster; %s.",
        precision,
        scans,
    )


def device_name(device: torch.device) -> str:
    """Return the device as a person knows it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} thread{'s' * (threads > 1)})"


def versions() -> dict[str, str]:
    """Return the versions that decide a run's figures; without torchtext's where Python has none."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("rnnlab", "torch", "lightning", "numpy", "torchtext"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found

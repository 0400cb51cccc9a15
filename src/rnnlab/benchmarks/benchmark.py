"""The benchmark from its configuration to its table, its JSON file and its chart."""

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from rnnlab.benchmarks import (
    device_report,
    forecasting_speed,
    keras_speed,
    kernels_speed,
    language_speed,
    logging_cost,
    prediction_speed,
    sentiment_speed,
    speech_speed,
    sweep_speed,
    tables,
)
from rnnlab.benchmarks.settings import Settings, description
from rnnlab.build import locate_class
from rnnlab.command_line import check_sections
from rnnlab.errors import ConfigError
from rnnlab.shortage import told_when_short
from rnnlab.tasks.task import Task
from rnnlab.terminal import console
from rnnlab.training.checks import build_trainer
from rnnlab.training.hardware import check_accelerator
from rnnlab.training.overhead import keep_freed_memory
from rnnlab.training.processes import quieten

log = logging.getLogger(__name__)

SECTIONS = {
    *("seed", "task", "batches", "data", "tokenizer", "optimizer", "scheduler"),
    *("trainer", "callbacks", "logger"),
    *Settings.__dataclass_fields__,
}


def benchmark(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Measure what ``config`` asks for, print it, and keep it in ``folder``.

    Returns:
        The content of ``benchmark.json``: the machine, the settings and every turn's figures. Beside it lies
        ``benchmark.png``, where there is something to draw.

    Raises:
        RnnlabError: for whatever the user can mend.
        Interrupted: if Ctrl-C or SIGTERM ended it.
    """
    quieten()
    # As in training; for every contestant in this process.
    task = locate_class(config["task"]["_target_"], Task, "task")
    keep_freed_memory(blocks_of_one_shape=task.keeps_all_memory)
    check_sections(config, SECTIONS)
    settings = Settings.of(config)
    device = chosen_device(config["trainer"]) if settings.device is None else device_named(settings.device)
    results: dict[str, Any] = {
        "began": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": description(device),
        "config": config,
    }
    machine = results["machine"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads; "
        f"device {machine['device']}; Python {machine['python']}, torch {machine['torch']}, "
        f"lightning {machine['lightning']}",
    )
    with told_when_short(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if settings.device is not None:
            device_report.measure(results, settings.minutes, folder, device)
        elif settings.kernels:
            results["kernels"] = kernels_speed.measure(config, settings)
        elif settings.logging:
            results["logging"] = logging_cost.measure(config, settings)
        elif settings.prediction:
            results["prediction"] = prediction_speed.measure(config, settings, device.type)
        elif settings.jobs:
            results["sweep"] = sweep_speed.measure(settings)
        elif config["task"]["name"] == "language_model":
            results["language_model"] = language_speed.measure(config, settings, device)
        elif config["task"]["name"] == "forecasting":
            results["forecasting"] = forecasting_speed.measure(config, settings, device)
        elif config["task"]["name"] == "speech":
            results["speech"] = speech_speed.measure(config, settings, device)
        else:
            if takes_keras(config, settings):
                results["keras"] = keras_speed.measure(config, settings, folder, device)
                keep(results, folder)
            results["sentiment"] = sentiment_speed.measure(config, settings, device)
        keep(results, folder)
    for table in tables.tables_of(results):
        console.print(table)
    console.print(tables.notes_of(results), style="dim")
    console.print(f"Figures  {folder / 'benchmark.json'}")
    if (folder / "benchmark.png").is_file():
        console.print(f"Chart    {folder / 'benchmark.png'}")
    return results


def chosen_device(trainer: Mapping[str, Any]) -> torch.device:
    """Return the device that a Trainer of this configuration trains on.

    Raises:
        ConfigError: if the machine has no such device.
    """
    check_accelerator(trainer["accelerator"])
    silent = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    probe = build_trainer({"accelerator": trainer["accelerator"], "devices": 1}, silent)
    return probe.strategy.root_device


def device_named(name: str) -> torch.device:
    """Return the device that a report is on.

    Raises:
        ConfigError: if the machine has no such device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device=cuda: PyTorch sees no CUDA GPU here. device=cpu tries the report without one."
        )
    return torch.device(name)


def takes_keras(config: Mapping[str, Any], settings: Settings) -> bool:
    """Return whether Keras takes part, and say why where it can't."""
    if not settings.keras:
        return False
    if config["data"]["name"] != "imdb":
        log.info("Without Keras: its textbook program reads IMDB (data=imdb).")
        return False
    if not keras_speed.is_there(settings.keras_python):
        log.info("Without Keras: this Python lacks keras and tensorflow (pip install keras tensorflow).")
        return False
    return True


def keep(results: Mapping[str, Any], folder: Path) -> None:
    """Write figures and chart, whole or not at all."""
    tables.keep(results, folder)
    tables.draw(results, folder / "benchmark.png")

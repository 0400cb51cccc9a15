"""One run, from its configuration to its folder."""

import logging
import platform
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from rnnlab.atomic import told_when_full
from rnnlab.command_line import check_sections
from rnnlab.data.task_data import TaskData
from rnnlab.models.task import Task
from rnnlab.training.allocation import keep_freed_memory
from rnnlab.training.assembly import assemble_data, assemble_task, assemble_trainer
from rnnlab.training.checkpoints import read_checkpoint
from rnnlab.training.clock import TrainingClock
from rnnlab.training.encoding_progress import encoding_progress
from rnnlab.training.evaluation import evaluate
from rnnlab.training.hardware import check_accelerator, check_precision
from rnnlab.training.hyperparameters import log_hyperparameters
from rnnlab.training.report import describe_task, final_table
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.task_figures import SPLITS, task_figures
from rnnlab.training.tensorboard import LoggingSettings

log = logging.getLogger(__name__)

SECTIONS = {
    *("seed", "resume", "baselines", "task", "batches", "data", "tokenizer"),
    *("model", "optimizer", "scheduler", "trainer", "callbacks", "logger"),
}


def fit(config: dict[str, Any], path: Path, watchers: Sequence[Callback] = ()) -> dict[str, Any]:
    """Train, choose the best checkpoint on the validation split, and score it on the test split, once.

    Args:
        config: the resolved configuration, plain data; with ``resume`` set, the run at ``path`` goes on.
        path: the run folder.
        watchers: what else follows the training, such as the search that this run is a trial of.

    Returns:
        The content of ``metrics.json``.

    Raises:
        RnnlabError: for whatever the user can mend.
        Interrupted: if Ctrl-C or SIGTERM ended the training at a clean place.
    """
    started = time.perf_counter()
    quieten()
    keep_freed_memory()
    config = {name: section for name, section in config.items() if name != "sweep"}  # it is of no run
    check_sections(config, SECTIONS)
    folder = RunFolder(path)
    resuming = bool(config["resume"])
    if not resuming:
        folder.check_free()
    check_accelerator(config["trainer"]["accelerator"])
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    data = assemble_data(config)
    with encoding_progress() as progress:
        data.encode(progress)
    log.info(data.describe())
    log.info(data.describe_batches())
    task = assemble_task(config, data)
    log.info(describe_task(task))
    clock = TrainingClock()
    trainer = assemble_trainer(config, task, folder, clock)
    trainer.callbacks += watchers  # type: ignore[attr-defined]
    check_precision(task, str(config["trainer"]["precision"]), trainer.strategy.root_device)
    if trainer.is_global_zero and not resuming:
        folder.begin(config)
    with told_when_full(folder.path):
        trainer.fit(task, datamodule=data, ckpt_path=str(folder.last) if resuming else None)
    task.load_state_dict(read_checkpoint(folder.best)["state_dict"])
    drawn = task_figures(task, data, LoggingSettings.of(config).words) if trainer.loggers else None
    metrics = figures(config, task, data, clock, drawn.recorders if drawn else {})
    metrics["wall_seconds"] = time.perf_counter() - started
    if trainer.is_global_zero:
        folder.finish(metrics)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                log_hyperparameters(logger.experiment, config, metrics, trainer.global_step)
                if drawn:
                    drawn.publish(folder.path, logger.experiment, trainer.global_step)
        final_table(config["task"]["name"], metrics, folder, config["trainer"]["limit_test_batches"])
    return metrics


def figures(
    config: Mapping[str, Any],
    task: Task,
    data: TaskData,
    clock: TrainingClock,
    recorders: Mapping[str, Callback],
) -> dict[str, Any]:
    """Return the run's figures, in the form that every task writes.

    Args:
        config: the run's configuration.
        task: with the weights to score.
        data: encoded.
        clock: what counted seconds and tokens.
        recorders: for a split, what watches its scoring.
    """
    scores = {}
    for split in SPLITS:
        watching = [recorders[split]] if split in recorders else []
        scores[split] = evaluate(task, data, split, config["trainer"], watching)
    return {
        "test": scores["test"],
        "validation": scores["validation"],
        "baselines": data.baselines() if config["baselines"] else {},
        "seconds_per_epoch": clock.seconds_per_epoch,
        "tokens_per_second": clock.tokens_per_second,
        "seed": config["seed"],
        "device": device_name(task.device),
        "versions": versions(),
    }


def device_name(device: torch.device) -> str:
    """Return the device as a person knows it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def versions() -> dict[str, str]:
    """Return the versions that decide a run's figures."""
    names = ("rnnlab", "torch", "lightning", "numpy", "torchtext")
    return {"python": ".".join(map(str, sys.version_info[:3])), **{name: version(name) for name in names}}


def quieten() -> None:
    """Silence what Lightning says on every run; its warnings and errors stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Metrics are reduced over all processes by torchmetrics already.
    warnings.filterwarnings("ignore", message=".*It is recommended to use `self.log.*sync_dist=True.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings(
        "ignore", message=".*The number of training batches .* is smaller than the logging.*"
    )

"""One run, from its configuration to its folder."""

import logging
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.rank_zero import _get_rank
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from rnnlab.atomic import told_when_full
from rnnlab.command_line import check_sections
from rnnlab.data.task_data import TaskData
from rnnlab.data.text_data import TextData
from rnnlab.errors import ConfigError, RnnlabError
from rnnlab.files.bounded import damaged
from rnnlab.files.checkpoint_file import no_larger_than, read_checkpoint
from rnnlab.models.language_model import LanguageModel
from rnnlab.models.task import Task
from rnnlab.terminal import TerminalHandler, shown
from rnnlab.training.allocation import keep_freed_memory
from rnnlab.training.assembly import assemble_data, assemble_task, assemble_trainer
from rnnlab.training.checkpoints import Resumable, newest_whole, remove_unfinished
from rnnlab.training.clock import TrainingClock
from rnnlab.training.encoding_progress import encoding_progress
from rnnlab.training.evaluation import evaluate
from rnnlab.training.hardware import check_accelerator, check_precision, check_scored
from rnnlab.training.hyperparameters import log_hyperparameters
from rnnlab.training.initial_run import read_as, start_from, starting_point
from rnnlab.training.interruption import StopCleanly
from rnnlab.training.report import describe_task, final_table
from rnnlab.training.resume import check_epochs, check_same_corpus, check_same_vocabulary
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.task_figures import SPLITS, task_figures
from rnnlab.training.tensorboard import LoggingSettings

log = logging.getLogger(__name__)

SECTIONS = {
    *("seed", "resume", "init_from", "baselines", "task", "batches", "data", "tokenizer"),
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
    quieten()
    config = {name: section for name, section in config.items() if name != "sweep"}  # it is of no run
    check_sections(config, SECTIONS)
    check_seed(config["seed"])
    if not isinstance(config["baselines"], bool):
        raise ConfigError(f"baselines={config['baselines']}: expected true or false.")
    folder, clock = RunFolder(path), TrainingClock()
    resuming, config = bool(config["resume"]), {**config, "resume": None}
    if not resuming:
        check_free(folder)
    elif folder.is_finished_as(config):
        log.info("%s is finished: nothing is left to do. trainer.max_epochs=... trains on.", shown(path))
        return folder.metrics()
    stop = StopCleanly(folder)
    with stop.listening(), ExitStack() as held:
        if resuming:
            held.enter_context(only_worker(folder))
        start = newest_whole(folder) if resuming else None
        data, task = prepare(config, start)
        keep_freed_memory(blocks_of_one_shape=isinstance(task, LanguageModel))
        trainer = assemble_trainer(config, task, folder, clock, stop, start and start.step)
        trainer.callbacks += watchers  # type: ignore[attr-defined]
        check_precision(task, str(config["trainer"]["precision"]), trainer.strategy.root_device)
        held.enter_context(only_worker(folder))
        begin(config, folder, resuming)
        with failure_noted(folder), told_when_full(folder.path):
            with damage_told(start, clock):
                trainer.fit(task, datamodule=data, ckpt_path=str(start.file) if start else None)
            check_validated(folder, trainer)
            stop.doing = "while the test split was scored"
            return finish(config, task, data, clock, folder, trainer)


@contextmanager
def damage_told(start: Resumable | None, clock: TrainingClock) -> Iterator[None]:
    """Turn what comes of a checkpoint whose states can't be put back into an error for people.

    Optimizers, loops and callbacks write their own parts of it, and find only in their first step that they
    are of another shape.

    Args:
        start: the checkpoint that the training goes on from.
        clock: knows whether there was a second step.

    Raises:
        DamagedFileError: naming the file.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError) as error:
        if start is None or clock.batches > 1:
            raise
        reason = f"what it says of a training half done can't be put back ({type(error).__name__}: {error})"
        mend = "Remove it: the one before it is used, or the run begins anew."
        raise damaged(start.file, reason, mend) from error


def check_seed(seed: object) -> None:
    """Check that it is one that all random generators take.

    Raises:
        ConfigError: if it isn't.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed={seed}: expected a whole number from 0 to {2**32 - 1:,}.")


def is_first_process() -> bool:
    """Return whether this is the first of a run's processes, known before there is a trainer."""
    return not _get_rank()


def check_free(folder: RunFolder) -> None:
    """Check that no run lives in ``folder`` yet; the first of several processes does it for all.

    Raises:
        RunError: if one does.
    """
    if is_first_process():
        folder.check_free()


def only_worker(folder: RunFolder) -> AbstractContextManager[None]:
    """Return a context in which no other training works on the run; its first process sees to it for all.

    Raises:
        RunError: on entering, if another one does already.
    """
    return folder.held() if is_first_process() else nullcontext()


def prepare(config: Mapping[str, Any], start: Resumable | None) -> tuple[TaskData, Task]:
    """Return the encoded data and the task, checked against the checkpoint that the run goes on from.

    Raises:
        RunError: if the corpus or its vocabulary is not what the run was begun with.
        ConfigError: if a section can't be built, or the parts do not fit together.
    """
    check_accelerator(config["trainer"]["accelerator"])
    check_scored(config["trainer"])
    if start is not None:
        check_epochs(start.content["epoch"], config["trainer"]["max_epochs"])
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    data = assemble_data(config)
    corpus = fingerprint_of(data)
    if start is not None:
        check_same_corpus(start.content["rnnlab"], corpus)
    initial = starting_point(config, start)
    if initial is not None:
        read_as(data, initial, config["task"]["vocabulary"])
    with encoding_progress() as progress:
        data.encode(progress)
    log.info(data.describe())
    log.info(data.describe_batches())
    with nullcontext() if start is None else no_larger_than(start.content["state_dict"], start.file):
        task = assemble_task(config, data)
    if initial is not None and start is None:
        start_from(task, initial, data)
    log.info(describe_task(task))
    task.passport["corpus"] = corpus
    if start is not None:
        check_same_vocabulary(start.content["rnnlab"], task.passport)
    return data, task


def fingerprint_of(data: TaskData) -> dict[str, str]:
    """Return the name and the fingerprint of the corpus; data that are made up have settings only."""
    if isinstance(data, TextData):
        return {"name": data.corpus.name, "fingerprint": data.corpus.fingerprint}
    return {"name": type(data).__name__, "fingerprint": ""}


def begin(config: dict[str, Any], folder: RunFolder, resuming: bool) -> None:
    """Make the folder that of a run that is going on."""
    if is_first_process():
        if resuming:
            remove_unfinished(folder)
        else:
            folder.check_free()  # another process may have taken it while this one encoded
        folder.begin(config)


@contextmanager
def failure_noted(folder: RunFolder) -> Iterator[None]:
    """Write the reason into the run's folder if an error ends it."""
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, RnnlabError) else f"{type(error).__name__}: {error}"
        if is_first_process():
            folder.fail(reason)
        raise


def check_validated(folder: RunFolder, trainer: lightning.Trainer) -> None:
    """Check that a validation has chosen a best checkpoint.

    Raises:
        ConfigError: if the training ended before the first.
    """
    if not folder.best.exists():
        raise ConfigError(
            f"The training ended after {trainer.global_step} steps, before its first validation, which "
            "chooses the best checkpoint: raise trainer.max_steps, or lower trainer.val_check_interval."
        )


def finish(
    config: Mapping[str, Any],
    task: Task,
    data: TaskData,
    clock: TrainingClock,
    folder: RunFolder,
    trainer: lightning.Trainer,
) -> dict[str, Any]:
    """Score the best checkpoint; write the figures into the run's folder and TensorBoard, and show them."""
    task.load_state_dict(read_checkpoint(folder.best)["state_dict"])
    drawn = task_figures(task, data, LoggingSettings.of(config).words) if trainer.loggers else None
    device = device_name(trainer.strategy.root_device)  # scoring leaves the task on the CPU
    metrics = figures(config, task, data, clock, device, drawn.recorders if drawn else {})
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
    device: str,
    recorders: Mapping[str, Callback],
) -> dict[str, Any]:
    """Return the run's figures, in the form that every task writes.

    Args:
        config: the run's configuration.
        task: with the weights to score.
        data: encoded.
        clock: what counted seconds and tokens.
        device: that the task was trained on.
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
        "wall_seconds": clock.wall_seconds(),
        "seed": config["seed"],
        "device": device,
        "versions": versions(),
    }


def device_name(device: torch.device) -> str:
    """Return the device as a person knows it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} thread{'s' * (threads > 1)})"


def versions() -> dict[str, str]:
    """Return the versions that decide a run's figures."""
    names = ("rnnlab", "torch", "lightning", "numpy", "torchtext")
    return {"python": ".".join(map(str, sys.version_info[:3])), **{name: version(name) for name in names}}


def quieten() -> None:
    """Silence what Lightning, and a run's other processes, say on every run; warnings and errors stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not is_first_process():  # the first says the same; each has a log file of its own
        for handler in logging.getLogger().handlers:
            if isinstance(handler, TerminalHandler):
                handler.setLevel(logging.WARNING)
    # Metrics are reduced over all processes by torchmetrics already.
    warnings.filterwarnings("ignore", message=".*It is recommended to use `self.log.*sync_dist=True.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # A run that goes on between an epoch's last step and its end has its means from the checkpoint.
    warnings.filterwarnings("ignore", message=".*method of metric RunningMean was called before.*")
    warnings.filterwarnings(
        "ignore", message=".*The number of training batches .* is smaller than the logging.*"
    )

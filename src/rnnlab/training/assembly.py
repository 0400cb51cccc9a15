"""From a resolved configuration to data, task and trainer."""

import logging
from collections.abc import Mapping
from typing import Any, cast

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from rnnlab.build import build, check_arguments, locate_class
from rnnlab.corpora.labelled_subset import LabelledSubset
from rnnlab.data.task_data import TaskData
from rnnlab.data.text_data import TextData
from rnnlab.diagnostics.callback import Diagnostics
from rnnlab.errors import ConfigError
from rnnlab.optimization.building import build_optimizer
from rnnlab.tasks.task import Task
from rnnlab.text.encoded import EncodedCorpus
from rnnlab.text.vectors import initial_embedding
from rnnlab.training.checkpoints import AtomicCheckpointIO
from rnnlab.training.clock import TrainingClock
from rnnlab.training.early_stopping import RememberedEarlyStopping
from rnnlab.training.hardware import accelerator_of
from rnnlab.training.interruption import StopCleanly
from rnnlab.training.keeping import KeepBest, KeepLast
from rnnlab.training.progress import TrainingProgress
from rnnlab.training.quick_hooks import leave_out_empty_hooks
from rnnlab.training.random_states import RandomStates
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.tensorboard import loggers, logging_callbacks
from rnnlab.training.unprofiled import Unprofiled

log = logging.getLogger(__name__)

# Keys of the task's section that assembly reads itself; all others are arguments of its class.
ASSEMBLED = ("name", "vectors", "vocabulary")


def assemble_data(config: Mapping[str, Any]) -> TaskData:
    """Build the data module; nothing is read or encoded yet.

    Raises:
        ConfigError: if a section can't be built.
    """
    data = config["data"]
    corpus: Any = build(data["corpus"], object, "data.corpus")
    if data.get("labelled") is not None:
        corpus = LabelledSubset(corpus, data["labelled"], config["seed"])
    batches = config["batches"]
    text: dict[str, Any] = {}
    if issubclass(locate_class(batches["_target_"], TaskData, "batches"), TextData):  # type: ignore[type-abstract]
        text["tokenizer"] = build(config["tokenizer"], object, "tokenizer")
        text["vocabulary"] = data.get("vocabulary", {})
    return build(
        batches,
        TaskData,  # type: ignore[type-abstract]
        "batches",
        corpus=corpus,
        seed=config["seed"],
        **text,
    )


def task_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task's section without what assembly reads itself."""
    return {key: value for key, value in config["task"].items() if key not in ASSEMBLED}


def assemble_task(config: Mapping[str, Any], data: TaskData) -> Task:
    """Build the task for encoded data.

    Raises:
        ConfigError: if a section can't be built, or task, model and data do not fit together.
    """
    task = build(
        task_arguments(config),
        Task,
        "task",
        model=config["model"],
        optimizer=config["optimizer"],
        scheduler=config["scheduler"],
        **data.facts(),
    )
    build_optimizer(config["optimizer"], task.parameter_groups())  # a wrong option shows before training
    task.passport = {"config": dict(config), **data.passport()}
    if config["task"].get("vectors") and isinstance(data, TextData):
        take_vectors(task, config, data.encoded)
    return task


def take_vectors(task: Task, config: Mapping[str, Any], encoded: EncodedCorpus) -> None:
    """Start the embedding from pretrained vectors, and report how much of the vocabulary they cover."""
    name = config["task"]["vectors"]
    weight = cast(Tensor, task.get_submodule("embedding").weight)
    initial = initial_embedding(encoded.vocabulary, name, weight.shape[1], seed=config["seed"])
    weight.data.copy_(initial.weight)
    log.info("Pretrained vectors %s cover %.1f %% of the vocabulary.", name, 100 * initial.covered)


def assemble_trainer(
    config: Mapping[str, Any],
    task: Task,
    folder: RunFolder,
    clock: TrainingClock,
    stop: StopCleanly | None = None,
    done_steps: int | None = None,
) -> lightning.Trainer:
    """Build the Trainer of a run, with its callbacks and logger.

    Args:
        config: the run's configuration.
        task: what it trains.
        folder: where its checkpoints and curves go.
        clock: what counts its seconds and tokens.
        stop: what takes the signals of this run; ``None`` for one that takes them while it trains.
        done_steps: the steps of the checkpoint that the run goes on from; ``None`` for a new one.

    Raises:
        ConfigError: if an option is unknown or out of range.
    """
    options = dict(config["trainer"])
    facts: dict[str, Any] = {
        "default_root_dir": str(folder.path),
        "callbacks": callbacks(config, task, folder, clock, stop or StopCleanly(folder)),
        "logger": loggers(config, folder, done_steps),
        "plugins": [AtomicCheckpointIO(folder)],
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    check_arguments(lightning.Trainer, options, facts, "trainer")
    if options.get("accumulate_grad_batches", 1) < 1:
        raise ConfigError("trainer.accumulate_grad_batches: expected a whole number from 1.")
    options.setdefault("profiler", Unprofiled())
    options["accelerator"] = accelerator_of(options["accelerator"])
    try:
        trainer = lightning.Trainer(**options, **facts)
    except (ValueError, TypeError, lightning.fabric.utilities.exceptions.MisconfigurationException) as error:
        raise ConfigError(f"trainer: {error}") from error
    leave_out_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
    return trainer


def callbacks(
    config: Mapping[str, Any], task: Task, folder: RunFolder, clock: TrainingClock, stop: StopCleanly
) -> list[Callback]:
    """Return the run's callbacks; the clock comes first, since others read it."""
    settings = config["callbacks"]
    best = KeepBest(folder)
    keeping: dict[str, Any] = {"folder": folder, "stop": stop, "clock": clock, "best": best}
    check_arguments(KeepLast, settings["checkpoint"], keeping, "callbacks.checkpoint")
    stopping: dict[str, Any] = {"monitor": task.monitor, "strict": False, "mode": task.mode}
    check_arguments(
        RememberedEarlyStopping,
        {key: value for key, value in settings["early_stopping"].items() if value is not None},
        stopping,
        "callbacks.early_stopping",
    )
    found: list[Callback] = [
        clock,
        RandomStates(),
        TrainingProgress(clock),
        stop,
        best,
        KeepLast(**keeping, **settings["checkpoint"]),
    ]
    if settings["early_stopping"]["patience"] is not None:
        found.append(RememberedEarlyStopping(**stopping, **settings["early_stopping"]))
    if settings.get("diagnostics") is not None:
        facts: dict[str, Any] = {"run": folder.path, "task": task}
        check_arguments(Diagnostics, settings["diagnostics"], facts, "callbacks.diagnostics")
        found.append(Diagnostics(**facts, **settings["diagnostics"]))
    return found + logging_callbacks(config, task, clock)

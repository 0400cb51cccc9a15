"""One run, from its configuration to its folder: what is made of which section, and what comes after what."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rnnlab import interruption
from rnnlab.build import build, check_arguments, locate_class
from rnnlab.data.task_data import TaskData, plain
from rnnlab.errors import ConfigError
from rnnlab.files.checkpoint_file import no_larger_than, read_checkpoint
from rnnlab.named_classes import check_classes
from rnnlab.optimization.averaged_sgd import ExponentialAverage, averages
from rnnlab.optimization.building import build_optimizer
from rnnlab.renamed import with_new_names
from rnnlab.tasks.baselines import had
from rnnlab.tasks.choosing import Choice
from rnnlab.tasks.task import Task, task_arguments
from rnnlab.terminal import shown
from rnnlab.text.tokenizers import Tokenizer
from rnnlab.training.checkpoints import AtomicCheckpointIO, RandomStates, Resumable, damage_told, newest_whole
from rnnlab.training.checks import build_trainer, check, rehearse
from rnnlab.training.clock import TrainingClock
from rnnlab.training.hardware import check_precision, device_name, take_cuda_graph, tell_precision, versions
from rnnlab.training.keeping import KeepBest, KeepLast, check_choice
from rnnlab.training.loggers import LoggerSettings, built_entries, closing, log_result, loggers
from rnnlab.training.origin import origin_of, tell_if_changed
from rnnlab.training.overhead import Unprofiled, keep_freed_memory, leave_out_empty_hooks, tiny_as_zero
from rnnlab.training.processes import begin, check_free, failure_noted, of_slurm, only_worker, quieten
from rnnlab.training.progress import TrainingProgress, encoding_progress
from rnnlab.training.report import describe_task, final_table, where_it_goes
from rnnlab.training.resume import check_done, check_same_corpus, check_same_vocabulary, tell_edited
from rnnlab.training.run_folder import RunFolder, kept_configuration
from rnnlab.training.scoring import LIMITS, check_part, evaluate
from rnnlab.training.stopping import RememberedEarlyStopping, StopCleanly

log = logging.getLogger(__name__)

# Keys of the sections on checkpoints and early stopping that say which metric chooses.
CHOOSING = ("monitor", "mode")

NOT_OF_A_RUN = ("sweep", "trust")
"""Sections that say how a command works, not what a run is."""
SPLITS = ("validation", "test")


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
    config = with_new_names({name: section for name, section in config.items() if name not in NOT_OF_A_RUN})
    folder, clock = RunFolder(path), TrainingClock()
    resuming, config = bool(config.get("resume")), {**config, "resume": None}
    with kept_configuration(folder) if resuming else nullcontext():
        check(config)
    if not resuming:
        check_free(folder)
    elif folder.is_finished_as(config):
        log.info("%s is finished: nothing is left to do. trainer.max_epochs=... trains on.", shown(path))
        with kept_configuration(folder):
            tell_if_changed(folder, config)
        return folder.metrics()
    stop = StopCleanly(folder)
    with stop.listening(), tiny_as_zero(), ExitStack() as held:
        interruption.check()  # a signal that came while torch was imported
        if resuming:
            held.enter_context(only_worker(folder))
        start = newest_whole(folder) if resuming else None
        with kept_configuration(folder) if resuming else nullcontext():
            data, task = prepare(config, start)
            keep_freed_memory(blocks_of_one_shape=task.keeps_all_memory)
            trainer = assemble_trainer(config, task, folder, clock, stop, start and start.step)
        trainer.callbacks += watchers  # type: ignore[attr-defined]
        precision, device = str(config["trainer"]["precision"]), trainer.strategy.root_device
        # Lightning does so only after it has loaded a checkpoint's weights, which would be rounded.
        trainer.precision_plugin.convert_module(task)
        check_precision(task, precision, device)
        tell_precision(precision, device)
        interruption.check()
        held.enter_context(only_worker(folder))
        begin(config, folder, resuming, task.metadata["origin"])
        log.info(where_it_goes(folder, LoggerSettings.of(config).tensorboard))
        with failure_noted(folder, stop.kept), closing(trainer.loggers, config):
            with damage_told(start, lambda: clock.batches):
                trainer.fit(task, datamodule=data, ckpt_path=str(start.file) if start else None)
            check_validated(folder, trainer)
            stop.doing = "while the test split was scored"
            return finish(config, task, data, clock, folder, trainer)


def prepare(config: Mapping[str, Any], start: Resumable | None) -> tuple[TaskData, Task]:
    """Return the data and the task, checked against the checkpoint that the run goes on from.

    Raises:
        RunError: if the corpus or its vocabulary is not what the run was begun with, or the checkpoint names
            other classes than the run.
        ConfigError: if a section can't be built, or the parts do not fit together.
    """
    if start is not None:
        check_classes(start.content["rnnlab"].get("config"), start.file, chosen=config)
        check_done(start.content["epoch"], start.step, config["trainer"])
    rehearse(config)
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    data = assemble_data(config)
    corpus = data.corpus_facts()
    if start is not None:
        check_same_corpus(start.content["rnnlab"], data.corpus)
    begins_from = None
    if config.get("init_from"):
        from rnnlab.training.init_from import starting_point  # most trainings start from nothing

        begins_from = starting, source = starting_point(config, start)
        starting.read_as(data, source, config)
    with encoding_progress() as progress:
        data.prepare(progress)
    interruption.check()
    for line in data.describe().splitlines():
        log.info(line)
    for warning in data.warnings():
        log.warning(warning)
    log.info(data.describe_batches())
    for split in LIMITS:
        check_part(data, split, config["trainer"])
    if advice := data.advice():
        log.warning(advice)
    with nullcontext() if start is None else no_larger_than(start.content["state_dict"], start.file):
        task = assemble_task(config, data)
    if begins_from is not None and start is None:
        starting, source = begins_from
        tell_edited(source.metadata, [source.config.get(name, {}) for name in ("model", "tokenizer")])
        starting.take(task, source, data)
    log.info(describe_task(task))
    began = start and start.content["rnnlab"].get("origin", {})
    task.metadata |= {"corpus": corpus, "origin": origin_of(config, data.corpus, began)}
    if start is not None:
        check_same_vocabulary(start.content["rnnlab"], task.metadata)
        check_choice(start.content, Choice(task.monitor, task.mode), config["trainer"])
        tell_edited(start.content["rnnlab"], config)
    return data, task


def assemble_data(config: Mapping[str, Any]) -> TaskData:
    """Build the data module; nothing is read or encoded yet.

    Raises:
        ConfigError: if a section can't be built.
    """
    data, batches = config["data"], config["batches"]
    served = locate_class(batches.get("_target_"), TaskData, "batches")
    corpus: Any = build(data["corpus"], served.corpora, "data.corpus")
    if config.get("folds") is not None:
        from rnnlab.corpora.folds import Fold

        corpus = Fold(corpus, config["folds"], config["fold"], config["seed"])
    if data.get("labelled") is not None:
        from rnnlab.corpora.labelled_subset import LabelledSubset

        corpus = LabelledSubset(corpus, data["labelled"], config["seed"])
    text: dict[str, Any] = {}
    if served.reads_text:
        if "tokenizer" not in config:
            raise ConfigError(
                "This task's data reads text, and no tokenizer is chosen: tokenizer=basic_english."
            )
        text["tokenizer"] = build(config["tokenizer"], Tokenizer, "tokenizer")  # type: ignore[type-abstract]
        text["vocabulary"] = data.get("vocabulary", {})
    elif "tokenizer" in config:
        raise ConfigError("tokenizer: the batches of this task read no text, and nothing reads this section.")
    return build(batches, TaskData, "batches", corpus=corpus, seed=config["seed"], **text)


def prepared_data(config: Mapping[str, Any]) -> TaskData:
    """Build the data module, and read and encode its splits.

    Raises:
        ConfigError: if a section can't be built.
        DataError: if the corpus is missing, damaged or empty.
    """
    data = assemble_data(config)
    with encoding_progress() as progress:
        data.prepare(progress)
    return data


def assemble_task(config: Mapping[str, Any], data: TaskData) -> Task:
    """Build the task for prepared data.

    Raises:
        ConfigError: if a section can't be built, or task, model and data do not fit together.
    """
    arguments = data.model_arguments()
    parts = {name: config[name] for name in ("model", "optimizer", "scheduler")}
    task = build(task_arguments(config), Task, "task", **parts, **arguments)
    build_optimizer(config["optimizer"], task.parameter_groups())  # a wrong option shows before training
    choice = task.choice(config["callbacks"]["checkpoint"], "callbacks.checkpoint")
    task.monitor, task.mode = choice.monitor, choice.mode  # what schedules and searches look at, too
    task.metadata = {"config": dict(config), "model_arguments": plain(arguments), **data.metadata()}
    task.prepare(config, data)
    return task


def assemble_trainer(
    config: Mapping[str, Any],
    task: Task,
    folder: RunFolder,
    clock: TrainingClock,
    stop: StopCleanly | None = None,
    done_steps: int | None = None,
) -> lightning.Trainer:
    """Build the Trainer of a run, with its callbacks and loggers.

    Args:
        stop: what takes the signals of this run; ``None`` for one that takes them while it trains.
        done_steps: the steps of the checkpoint that the run goes on from; ``None`` for a new one.

    Raises:
        ConfigError: if an option is unknown or out of range.
    """
    trainer = build_trainer(
        {"profiler": Unprofiled(), **config["trainer"]},
        {
            "default_root_dir": str(folder.path),
            "callbacks": callbacks(config, task, folder, clock, stop or StopCleanly(folder)),
            "logger": loggers(config, folder, done_steps),
            "plugins": [AtomicCheckpointIO(folder), *of_slurm()],
            "num_sanity_val_steps": 0,
        },
    )
    leave_out_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
    take_cuda_graph(task, config)
    return trainer


def callbacks(
    config: Mapping[str, Any], task: Task, folder: RunFolder, clock: TrainingClock, stop: StopCleanly
) -> list[Callback]:
    """Return the run's callbacks; the clock comes first, since others read it."""
    settings = config["callbacks"]
    chosen = Choice(task.monitor, task.mode)
    best = KeepBest(folder, chosen)
    keeping: dict[str, Any] = {"folder": folder, "stop": stop, "clock": clock, "best": best}
    saving = {key: value for key, value in settings["checkpoint"].items() if key not in CHOOSING}
    check_arguments(KeepLast, saving, keeping, "callbacks.checkpoint")
    ends = settings["early_stopping"]
    choice = task.choice(ends, "callbacks.early_stopping")
    stopping: dict[str, Any] = {"monitor": choice.monitor, "strict": False, "mode": choice.mode}
    patient = {key: value for key, value in ends.items() if key not in CHOOSING and value is not None}
    check_arguments(RememberedEarlyStopping, patient, stopping, "callbacks.early_stopping")
    found: list[Callback] = [clock, RandomStates(), TrainingProgress(clock), stop]
    found += [best, KeepLast(**keeping, **saving)]
    if ends["patience"] is not None:
        found.append(RememberedEarlyStopping(**stopping, **patient))
    if settings.get("diagnostics") is not None:
        from rnnlab.diagnostics.callback import Diagnostics  # it draws: matplotlib takes a while to import

        facts: dict[str, Any] = {"run": folder.path, "task": task}
        check_arguments(Diagnostics, settings["diagnostics"], facts, "callbacks.diagnostics")
        found.append(Diagnostics(**facts, **settings["diagnostics"]))
    found += averaging(config)
    found += LoggerSettings.of(config).callbacks(config, task, clock)
    return found + built_entries("callbacks", settings.get("extra"), Callback)


def averaging(config: Mapping[str, Any]) -> list[Callback]:
    """Return what validates, keeps and tests an exponential mean of the weights; nothing where none is asked.

    Raises:
        ConfigError: if the optimizer averages them already.
    """
    decay = config["callbacks"].get("averaging", {}).get("decay")
    if decay is None:
        return []
    if averages(config["optimizer"]):
        raise ConfigError(
            "callbacks.averaging.decay: this optimizer averages the weights itself. Take one of the two."
        )
    return [ExponentialAverage(decay)]


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


def recorders_of(task: Task, data: TaskData, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what keeps the answers of a run that draws none of them, for its mixture with a baseline."""
    found = {split: task.recorder(data, split) for split in SPLITS if config["baselines"]}
    return {split: recorder for split, recorder in found.items() if recorder is not None}


def finish(
    config: Mapping[str, Any],
    task: Task,
    data: TaskData,
    clock: TrainingClock,
    folder: RunFolder,
    trainer: lightning.Trainer,
) -> dict[str, Any]:
    """Score the best checkpoint; write the figures into the run's folder and its loggers, and show them."""
    task.load_state_dict(read_checkpoint(folder.best)["state_dict"])
    drawn = task.figures(data, LoggerSettings.of(config).words) if trainer.loggers else None
    recorders: Mapping[str, Any] = drawn.recorders if drawn else recorders_of(task, data, config)
    device = device_name(trainer.strategy.root_device)  # scoring leaves the task on the CPU
    scores = {
        split: evaluate(
            task, data, split, config["trainer"], [recorders[split]] if split in recorders else []
        )
        for split in SPLITS
    }
    interruption.check()
    metrics: dict[str, Any] = {
        "test": scores["test"],
        "validation": scores["validation"],
        "baselines": had("baseline", data.baselines) if config["baselines"] else {},
        "together": had("mixture", lambda: task.together(data, recorders)) if config["baselines"] else {},
        "labels": list(data.labels()),
        "monitor": task.monitor,
        "seconds_per_epoch": clock.seconds_per_epoch,
        "tokens_per_second": clock.tokens_per_second,
        "wall_seconds": clock.wall_seconds(),
        "seed": config["seed"],
        "device": device,
        "versions": versions(),
    }
    if trainer.is_global_zero:
        interruption.check()
        log_result(trainer, config, metrics, drawn, folder)
        folder.finish(metrics)  # last: with these figures the run counts as finished, and is not drawn again
        final_table(task, metrics, folder, config["trainer"]["limit_test_batches"])
    return metrics

"""Where a run's curves go: TensorBoard, and whatever other loggers its configuration names.

Loggers, like callbacks, are entries of a section that name a class each, which may be one of one's own.
"""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from rnnlab.build import build, check_arguments, locate_class
from rnnlab.errors import ConfigError, nearest
from rnnlab.files import CURVES, VALIDATION
from rnnlab.tasks.task import Task
from rnnlab.training.clock import TrainingClock
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.tensorboard import RunTexts, StepScalars, log_hyperparameters

if TYPE_CHECKING:
    from rnnlab.tasks.figures import TaskFigures


Entry = TypeVar("Entry")


def check_keys(section: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Check that a section has no key that nothing reads.

    Raises:
        ConfigError: naming each unknown key with the nearest known ones.
    """
    unknown = [key for key in given if key not in known]
    if unknown:
        lines = [f"{section}.{key}: nothing reads this key. {nearest(key, known)}" for key in unknown]
        own = f"One of your own goes under extra: +{section}.extra.{unknown[0]}._target_=..."
        raise ConfigError("\n".join([*lines, own]))


def built_entries(
    section: str,
    entries: Mapping[str, Any] | None,
    kind: type[Entry],
    offered: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Entry]:
    """Return what the entries of ``extra`` describe.

    Args:
        section: of the configuration, for errors.
        entries: by a name of the user's choice: ``_target_``, a class of ``kind``, and its arguments; null
            for none.
        kind: Lightning's ``Callback`` or ``Logger``.
        offered: for each entry, arguments that its class gets where it takes them.

    Raises:
        ConfigError: if an entry names no such class, an argument is unknown, or a package is not installed.
    """
    found: list[Entry] = []
    for name, entry in (entries or {}).items():
        if entry is None:  # switched off on the command line
            continue
        where = f"{section}.extra.{name}"
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{where}={entry}: expected _target_, a {kind.__name__}, and its arguments.")
        if "_target_" not in entry:
            raise ConfigError(f"{where} has no _target_, the class to build.")
        try:
            takes = inspect.signature(locate_class(entry["_target_"], kind, where)).parameters
            own = (offered or {}).get(name, {})
            more = {key: value for key, value in own.items() if key in takes and key not in entry}
            found.append(build(entry, kind, where, **more))
        except ModuleNotFoundError as error:
            raise ConfigError(f"{where}: {needed(name, error)}") from error
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from error
    return found


def needed(name: str, error: ModuleNotFoundError) -> str:
    """Return what to install for an entry whose class lacks a package."""
    required = re.search(r"Requirement '([\w-]+)", str(error))  # as Lightning says it
    lacking = required[1] if required else (error.name or name).split(".")[0]
    return f"it needs a package that is not installed: pip install {lacking}"


@dataclass(frozen=True)
class LoggerSettings:
    """The configuration's ``logger`` section.

    Attributes:
        tensorboard: whether TensorBoard's files are written.
        prompt: how a language model's samples begin; empty for a new document.
        words: how many words the embedding projector shows, the most frequent ones; 0 for no projector.
        extra: other loggers by a name: ``_target_``, a Lightning ``Logger``, and its arguments.
    """

    tensorboard: bool = False
    prompt: str = ""
    words: int = 2000
    extra: Mapping[str, Any] | None = field(default_factory=dict)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "LoggerSettings":
        """Read them.

        Raises:
            ConfigError: if a key is unknown or out of range.
        """
        section = config["logger"] or {}
        check_keys("logger", section, list(cls.__dataclass_fields__))
        check_arguments(cls, section, {}, "logger")
        return cls(**section)

    def callbacks(self, config: Mapping[str, Any], task: Task, clock: TrainingClock) -> list[Callback]:
        """Return the callbacks that write while a task is trained.

        Args:
            clock: what counts seconds and tokens; it must come before these.

        Raises:
            ConfigError: if the task can't write what is asked for.
        """
        every = config["trainer"]["log_every_n_steps"]
        found: list[Callback] = [RunTexts(config)] if self.tensorboard else []
        if every and (self.tensorboard or self.extra):
            found.append(StepScalars(clock, every))
        return found + task.logging_callbacks(config["logger"]) if self.tensorboard else found


def loggers(config: Mapping[str, Any], folder: RunFolder, done_steps: int | None = None) -> list[Logger]:
    """Return the run's loggers, TensorBoard's first.

    Args:
        done_steps: the steps behind a run that goes on: curves go on there, and what TensorBoard has beyond
            it is hidden.

    Raises:
        ConfigError: if an entry is no logger, or its package is not installed.
    """
    settings = LoggerSettings.of(config)
    found: list[Logger] = []
    if settings.tensorboard:
        found.append(RunLogger(folder.curves, None if done_steps is None else done_steps + 1))
    offered = {
        name: {"save_dir": str(folder.path / name), "done_steps": done_steps} for name in settings.extra or {}
    }
    return found + built_entries("logger", settings.extra, Logger, offered)  # type: ignore[type-abstract]


class RunLogger(TensorBoardLogger):
    """Lightning's logger without its ``epoch`` scalar and its empty ``hparams.yaml``, a folder a split.

    Args:
        folder: of the event files; those of the validation go into a folder in it.
        purge_step: hides what earlier files say from this step on.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        options: dict[str, Any] = {"name": "", "default_hp_metric": False, "purge_step": purge_step}
        super().__init__(folder, version="", **options)
        self.validation = TensorBoardLogger(folder, version=VALIDATION, **options)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write scalars, one metric of both splits under one tag."""
        training = {in_both(name, "train"): metrics[name] for name in metrics if name != "epoch"}
        validated = [name for name in training if name.startswith(f"{VALIDATION}/")]
        if validated:
            scores = {in_both(name, VALIDATION): training.pop(name) for name in validated}
            self.validation.log_metrics(scores, step)
        super().log_metrics(training, step)

    @rank_zero_only
    def save(self) -> None:
        """Write out what waits."""
        for logger in (self, self.validation):
            if logger._experiment is not None:
                logger.experiment.flush()

    def close(self) -> None:
        """Close the files and end the threads that write; what comes after a training opened all anew."""
        for logger in (self, self.validation):
            if logger._experiment is not None:
                with suppress(Exception):  # a full disk was told before
                    logger._experiment.close()


def in_both(name: str, split: str) -> str:
    """Return the tag that a split's metric shares with the other split's.

    >>> in_both("train/f1/good", "train"), in_both("step/loss", "train")
    ('curves/f1/good', 'step/loss')
    """
    return name.replace(f"{split}/", f"{CURVES}/", 1) if name.startswith(f"{split}/") else name


class RunTable(CSVLogger):
    """Metrics as a table, ``metrics.csv``.

    Lightning's begins its file anew, so a run that goes on writes in a folder beside it: ``from_step_120``.

    Args:
        save_dir: where to.
        done_steps: the steps behind a run that goes on; None for a new one.
        flush_logs_every_n_steps: how often what is logged is written.
    """

    def __init__(
        self, save_dir: str | Path, done_steps: int | None = None, flush_logs_every_n_steps: int = 100
    ) -> None:
        version = "" if done_steps is None else f"from_step_{done_steps}"
        super().__init__(save_dir, "", version, flush_logs_every_n_steps=flush_logs_every_n_steps)


@contextmanager
def closing(every: Sequence[Logger], config: Mapping[str, Any]) -> Iterator[None]:
    """Tell loggers the configuration first, and close them in the end: the next job of a sweep has its own.

    TensorBoard has the configuration in a form of its own.
    """
    others = [logger for logger in every if not isinstance(logger, RunLogger)]
    status = "failed"
    try:
        for logger in others:
            if logger.save_dir:
                Path(logger.save_dir).mkdir(parents=True, exist_ok=True)
            logger.log_hyperparams(dict(config))
        yield
        status = "success"
    finally:
        for logger in every:
            if isinstance(logger, RunLogger):
                logger.close()
        for logger in others:
            with suppress(Exception):  # a service that can't be reached spoils no finished run
                logger.finalize(status)
                end = getattr(logger.experiment, "finish", None)  # type: ignore[attr-defined]
                if callable(end):
                    end()


def log_result(
    trainer: lightning.Trainer,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    drawn: "TaskFigures | None",
    folder: RunFolder,
) -> None:
    """Write a finished run's figures to its loggers, and draw what its task shows, if it shows anything."""
    step = trainer.global_step
    best = {
        f"final/{split}/{name}": value
        for split in ("validation", "test")
        for name, value in metrics[split].items()
    }
    writer = None
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            writer = logger.experiment
            log_hyperparameters(writer, config, best, step)
        else:
            logger.log_metrics(best, step)
            logger.save()
    if drawn is not None:
        drawn.publish(folder.path, writer, step)
    if writer is not None:
        save_curves(folder, str(metrics["monitor"]).partition("/")[2])


def save_curves(folder: RunFolder, metric: str) -> None:
    """Draw the curves of the loss and of the metric that chooses; ``plot.py`` draws all there are.

    Raises:
        RnnlabError: if the disk is full or the folder can't be written.
    """
    from rnnlab.figures.drawing import as_file, save  # matplotlib takes a while to import
    from rnnlab.figures.learning_curves import learning_curve_figure
    from rnnlab.files.event_file import curves_in

    curves, _ = curves_in(folder.curves)
    for name in dict.fromkeys(["loss", metric]):
        tags = {split: f"{split}/{name}" for split in ("train", VALIDATION)}
        lines = {split: curves[tag] for split, tag in tags.items() if tag in curves}
        if lines:
            figure = learning_curve_figure(name, {folder.path.name: lines})
            save(figure, folder.path / "figures", f"curve_{as_file(name)}")

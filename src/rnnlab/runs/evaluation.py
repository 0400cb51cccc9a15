"""A finished run's figures once more, or on other data, by the model's own vocabulary."""

from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import lightning

from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError, RunError
from rnnlab.runs.load import open_run
from rnnlab.tasks.answers import OpenedRun
from rnnlab.tasks.figures import Recorder
from rnnlab.tasks.task import Task
from rnnlab.terminal import console
from rnnlab.training.fit import assemble_data, prepared_data
from rnnlab.training.hardware import accelerator_of, check_accelerator
from rnnlab.training.processes import quieten
from rnnlab.training.progress import encoding_progress
from rnnlab.training.resume import tell_edited, tell_other_corpus
from rnnlab.training.scoring import evaluate

LIMITS = {"validation": "limit_val_batches", "test": "limit_test_batches"}
"""What of a split is scored, by the run's trainer."""


def evaluated(
    path: str | Path,
    split: str = "test",
    data: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    device: str | None = None,
    trust: Sequence[str] = (),
    recorders: MutableMapping[str, Recorder] | None = None,
    stride: int | None = None,
    task: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a run's metrics on a split; on its own data those that training printed, digit for digit.

    Text is encoded by the model's own tokenizer and vocabulary, whatever the data.

    Args:
        path: a run folder or a checkpoint file.
        split: ``validation`` or ``test``.
        data: the ``data`` section of a configuration; None takes the run's own.
        labels: what the data calls the model's classes, in their order, where it calls them otherwise.
        device: ``auto``, ``cpu`` or ``gpu`` (``cuda`` is the same); None as in training.
        trust: packages besides rnnlab whose classes the checkpoint may name.
        recorders: takes what kept the answers, where the task has such, under the run's path.
        stride: of forecasts, the steps from one origin to the next; None as in training.
        task: keys of the task's section that are said anew, see :func:`rnnlab.runs.load.open_run`.

    Returns:
        ``run``, ``checkpoint``, ``data`` (the corpus's name), ``split``, ``documents`` (or sequences),
        ``out_of_vocabulary`` (share of the tokens; None where there is no text), ``limit`` (of the batches,
        as in training: 1.0 for all), ``seed``,
        ``labels`` (the model's classes) and ``metrics``.

    Raises:
        RunError: if the run can't be used.
        ConfigError: if the split or the device is neither, or the data's classes are not the model's.
        DataError: if the data is missing, damaged or empty.
    """
    quieten()
    if device not in (None, "auto", "cpu", "gpu", "cuda"):
        raise ConfigError(f"device={device}: choose auto, cpu or gpu.")
    run = open_run(path, trust, task)
    config = on_data(run.config, data)
    if stride is not None:
        if not run.task.has_origins:
            raise ConfigError(
                f"stride={stride} says how far the origins of forecasts lie apart, and task={run.task_name} "
                "has none: leave it out."
            )
        config["batches"] = {**config["batches"], "stride": stride}
    if data is None:
        tell_edited(run.metadata, [config["data"], config["batches"]])
    trained = {key: value for key, value in config["trainer"].items() if key not in ("num_nodes", "strategy")}
    trainer = {**trained, "devices": 1, **({"accelerator": device} if device else {})}
    check_accelerator(trainer["accelerator"])
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    data_module = prepared_split(run, config, split, labels)
    if data is None:
        tell_other_corpus(run.metadata, data_module.corpus)
    recorder = run.task.recorder(data_module, split)
    metrics = evaluate(run.task, data_module, split, trainer, [recorder] if recorder else [])
    if recorders is not None and recorder is not None:
        recorders[str(path)] = recorder
    return result_of(path, run, config, data_module, split, trainer[LIMITS[split]], metrics)


def result_of(
    path: str | Path,
    run: OpenedRun,
    config: Mapping[str, Any],
    module: TaskData,
    split: str,
    limit: float,
    metrics: Mapping[str, float],
) -> dict[str, Any]:
    """Return a run's metrics on a split, and what they are of, as :func:`evaluated` says."""
    return {
        "run": str(path),
        "checkpoint": str(run.checkpoint),
        "data": config["data"]["name"],
        "split": split,
        "documents": module.size_of(split),
        "out_of_vocabulary": module.out_of_vocabulary,
        "limit": limit,
        "seed": config["seed"],
        "labels": list(run.labels),
        "metrics": metrics,
    }


class Beside(NamedTuple):
    """What is asked of runs besides their own figures.

    Attributes:
        cache: score with a cache of hidden states, too.
        dynamic: score with steps on the weights, too.
        columns: of the text that such a scoring reads side by side; None as in training.
        together: score the network mixed with the simple method, too.
        weight: of the simple method in it; None for that which is best on validation.
    """

    cache: bool = False
    dynamic: bool = False
    columns: int | None = None
    together: bool = False
    weight: float | None = None

    @property
    def adapts(self) -> bool:
        """Whether a scoring adapts."""
        return self.cache or self.dynamic

    def check(self, split: str, data: Any) -> None:
        """Check that it makes sense.

        Raises:
            ConfigError: if it doesn't.
        """
        if self.weight is not None and not self.together:
            raise ConfigError("weight=… is for together=true: it is the simple method's share.")
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise ConfigError(f"weight={self.weight}: expected a number from 0 to 1.")
        if self.columns is not None and not self.adapts:
            raise ConfigError("columns=… is for cache=true and dynamic=true.")
        if (self.adapts or self.together) and data is not None:
            raise ConfigError(
                "cache, dynamic and together are chosen on the validation split of the run's own data: "
                "leave data=… out."
            )
        if self.together and not self.adapts and split != "test":
            raise ConfigError("together=true chooses its weight on validation, so it scores test alone.")


def asked_beside(
    path: str | Path,
    split: str,
    asked: Beside,
    device: str | None = None,
    trust: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what is asked of a run besides its own figures, which no other figure is mixed with.

    What a simple method needs to answer together with a classifier is kept beside the run.

    Args:
        path: a run folder or a checkpoint file.
        split: ``validation`` or ``test``.
        asked: what is.
        device: ``auto``, ``cpu`` or ``gpu``; None as in training.
        trust: packages besides rnnlab whose classes the checkpoint may name.

    Returns:
        ``adaptive`` with ``ways``, ``tuned``, figures and perhaps ``together``; ``together`` with figures by
        what the mixture is called.

    Raises:
        RunError: if the run can't be used, or its data has changed.
        ConfigError: if its task has no such scoring.
    """
    quieten()
    run = open_run(path, trust)
    trainer = {**run.config["trainer"], "devices": 1, **({"accelerator": device} if device else {})}
    folder = Path(path) if Path(path).is_dir() else None
    if asked.adapts and type(run.task).adapted is Task.adapted:
        run.task.adapted(cast(TaskData, None), split, {}, None)  # which says why
    lightning.seed_everything(run.config["seed"], workers=True, verbose=False)
    data = own_data(run)
    found: dict[str, Any] = {}
    if asked.adapts:
        on_gpu = accelerator_of(trainer["accelerator"]) in ("gpu", "cuda")
        run.task.to("cuda" if on_gpu else "cpu")
        file = folder and folder / f"adaptive{'_cache' * asked.cache}{'_dynamic' * asked.dynamic}_{split}.pt"
        found["adaptive"] = run.task.adapted(data, split, asked._asdict(), file)
    elif asked.together:
        recorders = {part: run.task.recorder(data, part) for part in LIMITS}
        kept = {part: recorder for part, recorder in recorders.items() if recorder is not None}
        for part, recorder in kept.items():
            evaluate(run.task, data, part, trainer, [recorder])
        found["together"] = run.task.together(data, kept, asked.weight) if kept else {}
        if not found["together"]:
            raise ConfigError(f"together=true: task={run.task_name} has no simple method to mix with.")
        (row,) = found["together"].values()
        if folder is not None and (file := run.task.keep_simple(data, row["weight"], folder)):
            console.print(f"Kept     {file}")
    return found


def own_data(run: OpenedRun) -> TaskData:
    """Return a run's own data, every split of it prepared.

    Raises:
        RunError: if its vocabulary is no longer the model's.
    """
    data = prepared_data(run.config)
    tell_other_corpus(run.metadata, data.corpus)
    if run.reading is not None and data.metadata().get("vocabulary") != run.metadata["vocabulary"]:
        raise RunError(
            "The training text has changed, and with it the vocabulary: what is chosen on the run's own data "
            "can't be chosen any more."
        )
    return data


def on_data(config: Mapping[str, Any], data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a run's configuration with other data, which are not divided as its own; None: as it is."""
    return dict(config) if data is None else {**config, "data": dict(data), "folds": None, "fold": None}


def prepared_split(run: OpenedRun, config: Mapping[str, Any], split: str, labels: Sequence[str]) -> TaskData:
    """Return the data with one split ready, as the model reads it.

    Raises:
        ConfigError: if the split is neither validation nor test, or the data is not of the model's kind.
        DataError: if it is missing, damaged or empty.
    """
    if split not in LIMITS:
        raise ConfigError(f"split={split}: evaluate on validation or test.")
    data = assemble_data(config)
    with encoding_progress() as progress:
        data.prepare_split(split, run, labels, progress)
    return data

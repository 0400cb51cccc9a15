"""A finished run's figures once more, or on other data, by the model's own vocabulary."""

from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import lightning

from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError
from rnnlab.runs.load import open_run
from rnnlab.tasks.answers import OpenedRun
from rnnlab.tasks.figures import Recorder
from rnnlab.training.encoding_progress import encoding_progress
from rnnlab.training.fit import assemble_data
from rnnlab.training.hardware import check_accelerator
from rnnlab.training.processes import quieten
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
    return {
        "run": str(path),
        "checkpoint": str(run.checkpoint),
        "data": config["data"]["name"],
        "split": split,
        "documents": data_module.size_of(split),
        "out_of_vocabulary": data_module.out_of_vocabulary,
        "limit": trainer[LIMITS[split]],
        "seed": config["seed"],
        "labels": list(run.labels),
        "metrics": metrics,
    }


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

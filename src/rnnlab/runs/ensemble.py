"""Several classifiers as one: the mean of their probabilities, such as of both directions of reading."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.errors import ConfigError, RunError
from rnnlab.tasks.sentiment.task import SentimentClassifier, evaluation_metrics
from rnnlab.runs.evaluation import encoded_data
from rnnlab.runs.load import open_run
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from rnnlab.training.hardware import check_accelerator

Probabilities = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def evaluated_together(
    paths: Sequence[str | Path],
    split: str = "test",
    data: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    device: str | None = None,
    trust: Sequence[str] = (),
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return each classifier's figures on a split, and those of the mean of their probabilities.

    Each reads the text by its own tokenizer and vocabulary.

    Args:
        paths: run folders or checkpoint files, at least two.
        split: ``validation`` or ``test``.
        data: the ``data`` section of a configuration; None takes each run's own.
        labels: what the data calls the models' classes, in their order.
        device: ``cpu`` or ``gpu``; None as in training.
        trust: packages besides rnnlab whose classes the checkpoints may name.

    Returns:
        What :func:`rnnlab.runs.evaluation.evaluated` returns for each run, and the metrics of all together.

    Raises:
        RunError: if a run can't be used, or is no classifier.
        ConfigError: if there is only one, or their classes or documents are not the same.
    """
    if len(paths) < 2:
        raise ConfigError("ensemble=true needs at least two runs: run=… run=…")
    found: list[dict[str, Any]] = []
    answers: list[Probabilities] = []
    first: tuple[tuple[str, ...], Labels] | None = None
    for path in paths:
        result, classes, targets, probabilities = answered(path, split, data, labels, device, trust)
        if first is None:
            first = classes, targets
        elif first[0] != classes or not np.array_equal(first[1], targets):
            raise ConfigError(
                f"{paths[0]} and {path} do not answer the same question: their classes or their documents "
                "differ. Name the data for all: data=…"
            )
        found.append(result)
        answers.append(probabilities)
    assert first is not None
    return found, scores(np.mean(answers, axis=0, dtype=np.float64), first[1], first[0])


def answered(
    path: str | Path,
    split: str,
    data: Mapping[str, Any] | None,
    labels: Sequence[str],
    device: str | None,
    trust: Sequence[str],
) -> tuple[dict[str, Any], tuple[str, ...], Labels, Probabilities]:
    """Return a classifier's figures, its classes, the documents' classes, and its probabilities of them."""
    run = open_run(path, trust)
    if not isinstance(run.task, SentimentClassifier):
        raise RunError(f"{path} is a run of task={run.task_name}; ensemble=true is for task=sentiment.")
    config = {**run.config, "data": run.config["data"] if data is None else dict(data)}
    accelerator = device or str(config["trainer"]["accelerator"])
    check_accelerator(accelerator)
    module = encoded_data(run, config, split, labels)
    (documents,) = module.encoded.splits.values()
    model = TrainedClassifier(run, "cpu" if accelerator == "cpu" else "auto")
    probabilities = model.probabilities(documents)
    result = {
        "run": str(path),
        "checkpoint": str(run.checkpoint),
        "data": config["data"]["name"],
        "split": split,
        "documents": len(documents),
        "out_of_vocabulary": max(module.encoded.out_of_vocabulary.values()),
        "limit": 1.0,
        "seed": config["seed"],
        "metrics": scores(probabilities, documents.labels, run.labels),
    }
    return result, run.labels, documents.labels, probabilities


def scores(
    probabilities: npt.NDArray[np.floating[Any]], targets: Labels, labels: Sequence[str]
) -> dict[str, float]:
    """Return the metrics that training reports.

    Args:
        probabilities: of each class, ``(documents, classes)``.
        targets: the documents' classes ``(documents,)``.
        labels: class names in id order.
    """
    metrics = evaluation_metrics(len(labels))
    given = torch.from_numpy(np.asarray(probabilities, dtype=np.float64))
    metrics.update(given[:, 1] if len(labels) == 2 else given, torch.from_numpy(targets))
    found = dict(metrics.compute())
    for name in [name for name in found if name.endswith("_per_class")]:
        for label, value in zip(labels, found.pop(name), strict=True):
            found[f"{name.removesuffix('_per_class')}/{label}"] = value
    chosen = np.clip(given.numpy()[np.arange(len(targets)), targets], np.finfo(np.float64).tiny, None)
    return {**{name: float(value) for name, value in found.items()}, "loss": float(-np.log(chosen).mean())}

"""Several classifiers as one: the mean of their probabilities, such as of both directions of reading."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab.errors import ConfigError, RunError
from rnnlab.runs.evaluation import on_data, prepared_split
from rnnlab.runs.load import open_run
from rnnlab.tasks.answers import Answered
from rnnlab.training.hardware import check_accelerator


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
    answers: list[Answered] = []
    for path in paths:
        result, answer = answered(path, split, data, labels, device, trust)
        if answers and not is_to_the_same(answer, answers[0]):
            raise ConfigError(
                f"{paths[0]} and {path} do not answer the same question: their classes or their documents "
                "differ. Name the data for all: data=…"
            )
        found.append(result)
        answers.append(answer)
    mean = np.asarray(np.mean([answer.probabilities for answer in answers], axis=0, dtype=np.float64))
    return found, answers[0].scores(mean)


def is_to_the_same(answer: Answered, other: Answered) -> bool:
    """Return whether two answers are to the same question: of the same classes and documents."""
    return answer.classes == other.classes and np.array_equal(answer.targets, other.targets)


def answered(
    path: str | Path,
    split: str,
    data: Mapping[str, Any] | None,
    labels: Sequence[str],
    device: str | None,
    trust: Sequence[str],
) -> tuple[dict[str, Any], Answered]:
    """Return a classifier's figures, and its answers."""
    run = open_run(path, trust)
    config = on_data(run.config, data)
    accelerator = device or str(config["trainer"]["accelerator"])
    check_accelerator(accelerator)
    model = run.task.trained_model()(run, "cpu" if accelerator == "cpu" else "auto")
    if not model.tells_classes:
        raise RunError(f"{path} is a run of task={run.task_name}; ensemble=true is for task=sentiment.")
    module = prepared_split(run, config, split, labels)
    answer = model.answered(module)
    result = {
        "run": str(path),
        "checkpoint": str(run.checkpoint),
        "data": config["data"]["name"],
        "split": split,
        "documents": module.size_of(split),
        "out_of_vocabulary": module.out_of_vocabulary,
        "limit": 1.0,
        "seed": config["seed"],
        "labels": list(run.labels),
        "metrics": answer.scores(answer.probabilities),
    }
    return result, answer

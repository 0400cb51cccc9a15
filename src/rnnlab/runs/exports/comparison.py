"""What an export costs and gains: its figures on a split, its size and its speed, beside the original's."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import lightning

from rnnlab.errors import DataError
from rnnlab.runs.evaluation import on_data, prepared_split
from rnnlab.tasks.answers import TrainedModel
from rnnlab.tasks.exports import Answers, NetworkExports, OnnxAnswers
from rnnlab.terminal import print_table, table_of
from rnnlab.training.clock import figure, thousands
from rnnlab.training.processes import quieten
from rnnlab.training.score_tables import called, over_all
from rnnlab.training.scoring import evaluate

TIMED = 50  # batches


@dataclass(frozen=True)
class Measured:
    """One model on one split.

    Attributes:
        metrics: as training reports them.
        size: of its weights, or of its file, in bytes.
        tokens_per_second: real tokens, the network alone.
    """

    metrics: Mapping[str, float]
    size: int
    tokens_per_second: float


def compared(
    model: TrainedModel,
    file: Path,
    split: str,
    data: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
) -> dict[str, Measured]:
    """Return figures, size and speed of the trained network and of the ONNX file made of it.

    Args:
        model: a classifier or a language model, on the CPU.
        file: what was exported.
        split: ``validation`` or ``test``.
        data: the ``data`` section of a configuration; None takes the run's own.
        labels: what the data calls the model's classes, where it calls them otherwise.

    Raises:
        ConfigError: if the split is neither, or the data's classes are not the model's.
        DataError: if the data is missing, damaged or empty.
    """
    quieten()
    config = on_data(model.config, data)
    trainer = {**config["trainer"], "accelerator": "cpu", "devices": 1, "precision": "32-true"}
    lightning.seed_everything(config["seed"], workers=True, verbose=False)
    try:
        batches = prepared_split(model.run, config, split, labels)
    except DataError as error:
        raise DataError(
            f"{error} An int8 export is scored beside the original: name other data (data=…), or pass "
            "split=null to go without."
        ) from error
    exports = cast(NetworkExports, model.exports)  # what was written came of them
    ours, theirs = exports.answers(), exports.answers_of(OnnxAnswers(file))
    metrics = [evaluate(exports.answering(answers), batches, split, trainer) for answers in (ours, theirs)]
    rates = speeds(batches.loader_of(split), ours, theirs)
    weights = sum(weight.numel() * weight.element_size() for weight in model.task.parameters())
    sizes = (weights, file.stat().st_size)
    names = ("PyTorch, float32", "ONNX, int8")
    parts = zip(metrics, sizes, rates, strict=True)
    return {name: Measured(*part) for name, part in zip(names, parts, strict=True)}


def speeds(loader: Any, *contestants: Answers) -> list[float]:
    """Return how many real tokens a second each of the contestants answers, the network alone.

    They take turns batch by batch, so that what else the machine does slows all of them; each batch is first
    answered once without being timed: what is compiled or laid out for its shape is not speed.

    Args:
        loader: batches of the split, of which at most ``TIMED`` are taken, evenly spaced.
        contestants: the networks.
    """
    seconds, tokens = [0.0] * len(contestants), 0
    for batch in islice(loader, 0, None, -(-len(loader) // TIMED)):
        more = batch.lengths
        tokens += batch.inputs.numel() if more is None else int(more.sum())
        for number, answers in enumerate(contestants):
            answers(batch.inputs, more)
            started = time.perf_counter()
            answers(batch.inputs, more)
            seconds[number] += time.perf_counter() - started
    return [tokens / max(spent, 1e-9) for spent in seconds]


def show(found: Mapping[str, Measured], split: str, data: str, labels: Sequence[str]) -> None:
    """Print the comparison, over all classes."""
    metrics = over_all(next(iter(found.values())).metrics, labels)
    columns = [*(called(name, labels) for name in metrics), "MB", "tokens/s"]
    table = table_of(f"{split} split of {data}", "", columns)
    for name, measured in found.items():
        figures = [figure(key, measured.metrics[key]) for key in metrics]
        table.add_row(name, *figures, f"{measured.size / 1e6:.2f}", thousands(measured.tokens_per_second))
    print_table(table)

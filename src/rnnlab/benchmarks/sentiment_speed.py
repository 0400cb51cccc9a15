"""Speed of sentiment classifiers: each cell and size, rnnlab's two ways and two usual ones."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from rnnlab.benchmarks.child_process import busy_processes
from rnnlab.benchmarks.reference_models import BareLoop, PackedClassifier, PlainClassifier
from rnnlab.benchmarks.reviews import Batches, ChosenReviews
from rnnlab.benchmarks.settings import ENCODER, Settings, matrix_multiply_rate
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.benchmarks.turns import (
    MOST,
    STAGES,
    Pace,
    Turn,
    compared,
    figures,
    pace,
    paired,
    rates_of,
    take_turns,
)
from rnnlab.cells import cell_named
from rnnlab.errors import ConfigError
from rnnlab.optimization.building import build_optimizer, decayed_apart
from rnnlab.tasks.sentiment.data import SentimentData
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.training.fit import assemble_task, prepared_data

log = logging.getLogger(__name__)

CONTESTANTS = ("trainer", "bare", "padded", "packed")
TRAINING = 3
"""Forward passes that a training step takes: the products again for the gradients of weights and inputs."""
SHARED = {"pooling": "last", "dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0, "vectors": None}
"""What the task must be, as the models that it is compared with know nothing else."""

WARM_UP, PROBE = 8, 64
"""Tokens of a document that a contestant gets to warm up, and to show how fast it is."""
FEW, SOME = 1, 4
"""Batches of the two probes; what they differ by is free of what a turn's beginning and end cost."""

BESIDE = "beside "
"""Before a contestant's name: its turns beside busy processes."""

Contestant = TrainerPath | BareLoop


def measure(config: Mapping[str, Any], settings: Settings, device: torch.device) -> list[dict[str, Any]]:
    """Measure every cell and hidden size on the real lengths of a corpus.

    Returns:
        A row for each, as plain data: what was run, each contestant's figures (rates in real tokens per
        second), and what they are to one another, paired by round.

    Raises:
        ConfigError: if the task has parts that the plain models lack.
    """
    check_comparable(config, settings)
    data = cast(SentimentData, prepared_data(config))
    return [
        measure_row(config, settings, data, cell, size, device)
        for size in settings.hidden_sizes
        for cell in settings.cells
    ]


def check_comparable(config: Mapping[str, Any], settings: Settings) -> None:
    """Demand contestants that there are, and a task and batches that plain models can be compared with.

    Raises:
        ConfigError: naming each key that must be otherwise.
    """
    task, batches = config["task"], config["batches"]
    wrong = [f"task.{key} must be {due}" for key, due in SHARED.items() if task[key] != due]
    wrong += [f"there is no contestant {name}" for name in settings.contestants if name not in CONTESTANTS]
    if batches["batch_size"] is None or batches["max_length"] is None:
        wrong.append("batches.batch_size and batches.max_length must be given")
    if wrong:
        raise ConfigError(f"The plain models of the benchmark have no such part: {'; '.join(wrong)}.")


def measure_row(
    config: Mapping[str, Any],
    settings: Settings,
    data: SentimentData,
    cell: str,
    hidden_size: int,
    device: torch.device,
) -> dict[str, Any]:
    """Measure one cell and hidden size."""
    embedding_size = min(hidden_size, int(config["task"]["embedding_size"]))
    model = {"_target_": ENCODER, "cell": cell, "hidden_size": hidden_size, "backend": settings.backend}
    config = {**config, "model": model, "task": {**config["task"], "embedding_size": embedding_size}}
    torch.manual_seed(config["seed"])
    with tempfile.TemporaryDirectory(prefix="rnnlab-benchmark-") as folder:
        contestants = {
            name: contestant(name, config, data, Path(folder), device) for name in settings.contestants
        }
        due = pace_of(contestants, settings, data)
        reviews = chosen(data, due.batches)
        work = {name: documents(name, reviews, due.sweeps[name]) for name in contestants}
        runs = {name: partial(one.turn, work[name]) for name, one in contestants.items()}
        machine = matrix_multiply_rate(device)
        crowded = {BESIDE + name: partial(crowded_turn, run, settings.beside) for name, run in runs.items()}
        every = {**runs, **(crowded if settings.beside else {})}
        had = take_turns(every, {name: due.turns[name.removeprefix(BESIDE)] for name in every})
        turns = {name: had[name] for name in runs}
    row: dict[str, Any] = {
        "cell": cell,
        "hidden_size": hidden_size,
        "embedding_size": embedding_size,
        "vocabulary_size": len(data.encoded.vocabulary),
        "documents": reviews.documents,
        "tokens": reviews.tokens,
        "padding": reviews.padding,
        "sweeps": due.sweeps,
        "turns": due.turns,
        "matrix_multiply_rate": machine,
        "contestants": {
            name: with_shares(had, cell, embedding_size, hidden_size, machine) for name, had in turns.items()
        },
        "times_as_fast": compared(turns),
        "left_beside": {
            name: paired(rates_of(had[BESIDE + name]), rates_of(turns[name]))
            for name in (turns if settings.beside else ())
        },
    }
    rates = ", ".join(
        f"{name} {found['training']['tokens_per_second']['median'] / 1e3:.1f}"
        for name, found in row["contestants"].items()
    )
    log.info("%s %s, thousand tokens/s in training: %s", cell, hidden_size, rates)
    return row


def contestant(
    name: str, config: Mapping[str, Any], data: SentimentData, folder: Path, device: torch.device
) -> Contestant:
    """Return the contestant called ``name``, with a freshly initialized model."""
    task = cast(SentimentClassifier, assemble_task(config, data))
    if name == "trainer":
        return TrainerPath(config, task, folder, device)
    model: torch.nn.Module = task
    if name in ("padded", "packed"):
        model_class = PlainClassifier if name == "padded" else PackedClassifier
        model = model_class(
            config["model"]["cell"],
            len(data.encoded.vocabulary),
            config["task"]["embedding_size"],
            config["model"]["hidden_size"],
            task.classifier.out_features,
        )
    model.to(device)
    optimizer = build_optimizer(config["optimizer"], decayed_apart(model.parameters()))
    return BareLoop(model, optimizer, config["trainer"]["gradient_clip_val"], device)


def pace_of(contestants: Mapping[str, Contestant], settings: Settings, data: SentimentData) -> Pace:
    """Warm every contestant up, see how long it takes for the beginnings of some documents, and plan."""
    whole, start = chosen(data, MOST), chosen(data, 1, WARM_UP)
    few, some = chosen(data, FEW, PROBE), chosen(data, SOME, PROBE)
    seconds = {}
    for name, one in contestants.items():
        one.turn(documents(name, start, 1))  # pays for compilation, libraries' starts and optimizer state
        short, long = documents(name, few, 1), documents(name, some, 1)
        a_position = paced(seconds_of(one, short), seconds_of(one, long), short.positions, long.positions)
        of_corpus = documents(name, whole, 1)
        seconds[name] = a_position * of_corpus.positions / len(of_corpus)
    return pace(seconds, settings.turn_seconds, settings.repeats, settings.batches_per_turn)


def seconds_of(one: Contestant, work: Batches) -> float:
    """Return how long a contestant takes to train on the batches and to ask about them."""
    turn = one.turn(work)
    assert turn.inference is not None
    return turn.training.seconds + turn.inference.seconds


def paced(short: float, long: float, short_positions: int, long_positions: int) -> float:
    """Return the seconds of a position, from those of two turns; at least a tenth of the longer's mean.

    >>> paced(1.5, 3.0, 100, 400), paced(1.5, 1.5, 100, 100)
    (0.005, 0.015)
    """
    mean, more = long / long_positions, long_positions - short_positions
    return max((long - short) / more, 0.1 * mean) if more > 0 else mean


def chosen(data: SentimentData, count: int, max_length: int | None = None) -> ChosenReviews:
    """Return ``count`` of the training batches that the loader makes of the corpus.

    Args:
        data: the encoded corpus.
        count: how many.
        max_length: tokens kept of a document; None keeps as many as the data's own batches.
    """
    loader = data.loader("train")
    return ChosenReviews(
        data.encoded.splits["train"],
        [batch.documents for batch in loader.plan(0)],
        count,
        max_length=max_length or cast(int, data.max_length),
        truncate=data.truncate,
        seed=data.seed,
    )


def documents(name: str, reviews: ChosenReviews, sweeps: int) -> Batches:
    """Return the reviews in the batches that the contestant ``name`` is to have."""
    return reviews.fixed(sweeps) if name == "padded" else reviews.bucketed(sweeps)


def with_shares(
    turns: list[Turn], cell: str, embedding_size: int, hidden_size: int, machine: float
) -> dict[str, Any]:
    """Return a contestant's figures, with seconds and the share that it reaches of the machine's rate."""
    found = figures(turns)
    for stage in STAGES:
        rate = found[stage]["tokens_per_second"]["median"]
        work = cell_named(cell).operations_per_token(embedding_size, hidden_size)
        work *= TRAINING if stage == "training" else 1
        found[stage] |= {
            "seconds": [getattr(turn, stage).seconds for turn in turns],
            "operations_per_second": rate * work,
            "share_of_matrix_multiply_rate": rate * work / machine,
        }
    return found


def crowded_turn(turn: Callable[[], Turn], beside: int) -> Turn:
    """Have a turn beside so many busy processes."""
    with busy_processes(beside):
        return turn()

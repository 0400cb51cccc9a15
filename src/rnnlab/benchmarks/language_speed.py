"""Speed of language models: rnnlab in the Trainer beside the plain PyTorch loop over the same windows."""

import logging
import tempfile
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch

from rnnlab.benchmarks.reference_models import PlainLanguageModel, PlainLoop
from rnnlab.benchmarks.settings import ENCODER, Settings
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.benchmarks.turns import Repeated, compared, figures, race
from rnnlab.data.streams import StreamBatch
from rnnlab.errors import ConfigError
from rnnlab.optimization.building import build_optimizer, decayed_apart
from rnnlab.tasks.language_model.data import LanguageData
from rnnlab.training.fit import assemble_task, prepared_data

log = logging.getLogger(__name__)

LAYERS = 2
CONTESTANTS = ("trainer", "bare")
NO_DROPOUT = ("word_dropout", "input_dropout", "output_dropout")

Contestant = TrainerPath | PlainLoop


def measure(config: Mapping[str, Any], settings: Settings, device: torch.device) -> list[dict[str, Any]]:
    """Measure every cell and hidden size, two layers of it, on the corpus's own text.

    The plain loop always has the full softmax, so that ``task.head=adaptive`` shows what the other one gains.

    Returns:
        A row for each, as plain data: what was run, each contestant's figures, and their ratio by round.

    Raises:
        ConfigError: if the plain model lacks what the configuration asks for.
    """
    check_comparable(config, settings)
    data = cast(LanguageData, prepared_data(config))
    return [
        measure_row(config, settings, data, cell, size, device)
        for size in settings.hidden_sizes
        for cell in settings.cells
    ]


def check_comparable(config: Mapping[str, Any], settings: Settings) -> None:
    """Demand a model that the plain one can be compared with.

    Raises:
        ConfigError: naming each key that must be otherwise.
    """
    wrong = [f"task.{name} must be 0" for name in NO_DROPOUT if config["task"][name]]
    wrong += [f"there is no contestant {name}" for name in settings.contestants if name not in CONTESTANTS]
    if config["batches"]["random_lengths"]:
        wrong.append("batches.random_lengths must be false")
    if wrong:
        raise ConfigError(f"The benchmark of language models has no such part: {'; '.join(wrong)}.")


def measure_row(
    config: Mapping[str, Any],
    settings: Settings,
    data: LanguageData,
    cell: str,
    hidden_size: int,
    device: torch.device,
) -> dict[str, Any]:
    """Measure one cell and hidden size."""
    model = {"_target_": ENCODER, "cell": cell, "hidden_size": hidden_size, "layers": LAYERS}
    model["backend"] = settings.backend
    config = {**config, "model": model, "task": {**config["task"], "embedding_size": hidden_size}}
    torch.manual_seed(config["seed"])
    with tempfile.TemporaryDirectory(prefix="rnnlab-benchmark-") as folder:
        contestants = {
            name: contestant(name, config, data, Path(folder), device) for name in settings.contestants
        }
        windows, turns = race(
            {name: one.turn for name, one in contestants.items()}, partial(first_windows, data), settings
        )
    row: dict[str, Any] = {
        "cell": cell,
        "hidden_size": hidden_size,
        "layers": LAYERS,
        "head": config["task"]["head"],
        "vocabulary_size": len(data.encoded.vocabulary),
        "tokens": windows.tokens,
        "contestants": {name: figures(had) for name, had in turns.items()},
        "times_as_fast": compared(turns),
    }
    rates = ", ".join(
        f"{name} {found['training']['tokens_per_second']['median'] / 1e3:.2f}"
        for name, found in row["contestants"].items()
    )
    log.info("%s %d x %d, thousand tokens/s in training: %s", cell, LAYERS, hidden_size, rates)
    return row


def contestant(
    name: str, config: Mapping[str, Any], data: LanguageData, folder: Path, device: torch.device
) -> Contestant:
    """Return the contestant called ``name``, with a freshly initialized model."""
    if name == "trainer":
        return TrainerPath(config, assemble_task(config, data), folder, device)
    model = PlainLanguageModel(
        config["model"]["cell"],
        len(data.encoded.vocabulary),
        config["model"]["hidden_size"],
        LAYERS,
        config["task"]["tie_weights"],
    ).to(device)
    optimizer = build_optimizer(config["optimizer"], decayed_apart(model.parameters()))
    return PlainLoop(model, optimizer, config["trainer"]["gradient_clip_val"], device)


def first_windows(data: LanguageData, count: int, sweeps: int = 1) -> Repeated[StreamBatch]:
    """Return the first ``count`` windows of the training text.

    Raises:
        ConfigError: if it has not so many in which every place counts.
    """
    windows = [window for window in islice(data.train_loader(), count) if window.valid is None]
    if len(windows) < count:
        raise ConfigError(
            f"{data.corpus.name} has {len(windows)} whole windows, fewer than the {count} to time."
        )
    return Repeated(windows, lambda window: window.predicted, sweeps)

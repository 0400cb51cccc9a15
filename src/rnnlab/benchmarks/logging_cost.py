"""What logging costs: whole trainings with TensorBoard and without, in turns, each a process of its own.

Such a process is ``python -m rnnlab.benchmarks.logging_cost CONFIG.json FOLDER``.
"""

import json
import logging
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.benchmarks.child_process import output_of, unseen_terminal
from rnnlab.benchmarks.settings import ENCODER, Settings
from rnnlab.benchmarks.turns import paired, summary
from rnnlab.training.checks import SECTIONS
from rnnlab.training.fit import fit

log = logging.getLogger(__name__)

SHORT = {
    "max_epochs": 1,
    "limit_train_batches": 2,
    "limit_val_batches": 1,
    "limit_test_batches": 1,
}
"""Of the training that pays for the encoded corpus and for compilation, before any is timed."""


def measure(config: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Train with everything that ``config`` logs, and without anything.

    Returns:
        ``turns`` of each contestant, and what those that log take by those that don't, pairwise by round:
        ``whole`` trainings and the training steps of an ``epoch``.

    Raises:
        RunError: if a training fails, with its last words.
    """
    contestants = contestants_of(config, settings)
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory(prefix="rnnlab-logging-") as room:
        names = list(contestants)
        most = contestants[names[-1]]  # what it pays for is there for all
        run({**most, "trainer": {**most["trainer"], **SHORT}}, Path(room) / "short")
        for number in range(settings.repeats):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                turns[name].append(run(contestants[name], Path(room) / f"{name}-{number}"))
            told = ", ".join(f"{name} {had[-1]['seconds']:.1f} s" for name, had in turns.items())
            log.info(f"Round {number + 1} of {settings.repeats}: {told}")
    whole, epoch = (
        {name: [turn[figure] for turn in had] for name, had in turns.items()}
        for figure in ("seconds", "epoch")
    )
    return {
        "model": contestants["silent"]["model"],
        "turns": turns,
        "seconds": {name: summary(seconds) for name, seconds in whole.items()},
        "ratios": {
            name: {
                "whole": paired(whole[name], whole["silent"]),
                "epoch": paired(epoch[name], epoch["silent"]),
            }
            for name in contestants
            if name != "silent"
        },
    }


def contestants_of(config: Mapping[str, Any], settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the configurations: silent, logging, and with diagnostics where ``config`` asks for them."""
    model = {
        "_target_": ENCODER,
        "cell": settings.cells[0],
        "hidden_size": settings.hidden_sizes[0],
        "backend": settings.backend,
    }
    asked = {**config, "model": model, "baselines": False, "resume": None, "init_from": None}
    training = {name: asked[name] for name in sorted(SECTIONS) if name in asked}
    plain = {key: value for key, value in config["callbacks"].items() if key != "diagnostics"}
    found = {
        "silent": {**training, "callbacks": plain, "logger": {"tensorboard": False}},
        "logging": {**training, "callbacks": plain},
    }
    if len(plain) < len(config["callbacks"]):
        found["diagnostics"] = training
    return found


def run(config: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """Train in a process of its own and return its figures.

    Raises:
        RunError: if it fails, with its last words.
    """
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "rnnlab.benchmarks.logging_cost", str(file), str(folder)]
    found: dict[str, float] = json.loads(
        output_of(command, "A training of the benchmark").strip().splitlines()[-1]
    )
    return found


def train(config_file: Path, folder: Path) -> dict[str, float]:
    """Train as ``scripts/train.py`` does, and return what it took.

    Args:
        config_file: a resolved configuration as JSON.
        folder: of the run.

    Returns:
        ``seconds`` of the whole training, from the data to the last figure; ``epoch``, of an epoch's training
        steps alone, on average; both with TensorBoard and matplotlib being imported, where they are used.
    """
    config = json.loads(config_file.read_text(encoding="utf-8"))
    began = time.perf_counter()
    with unseen_terminal():
        metrics = fit(config, folder)
    return {"seconds": time.perf_counter() - began, "epoch": metrics["seconds_per_epoch"]}


if __name__ == "__main__":
    print(json.dumps(train(Path(sys.argv[1]), Path(sys.argv[2]))))

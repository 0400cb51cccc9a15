"""Run folders as trainings leave them, without a training."""

import json
from pathlib import Path
from typing import Any

import yaml

from rnnlab.training.run_folder import RunFolder

TASK = "rnnlab.tasks.sentiment.task.SentimentClassifier"
CELLS: dict[str, dict[str, Any]] = {
    "gru": {"_target_": "rnnlab.RecurrentEncoder", "cell": "gru", "hidden_size": 32, "dropout": 0.0},
    "rnn": {"_target_": "rnnlab.Other", "cell": "rnn", "hidden_size": 32, "nonlinearity": "tanh"},
}


def config(cell: str = "gru", seed: int = 1, lr: float = 0.1, **model: Any) -> dict[str, Any]:
    return {
        "seed": seed,
        "resume": None,
        "task": {"_target_": TASK, "name": "sentiment", "dropout": 0.5},
        "data": {"name": "csv"},
        "model": {**CELLS[cell], **model},
        "optimizer": {"lr": lr},
    }


def run(folder: Path, content: dict[str, Any]) -> RunFolder:
    found = RunFolder(folder)
    found.begin(content)
    return found


def finished(
    folder: Path,
    content: dict[str, Any],
    accuracy: float,
    seconds: float = 10.0,
    rate: float | None = 5e4,
    baselines: dict[str, dict[str, float]] | None = None,
) -> RunFolder:
    found = run(folder, content)
    scores = {"accuracy": accuracy, "loss": 1 - accuracy, "f1/good": 0.5}
    found.finish(
        {
            "test": scores,
            "validation": {**scores, "accuracy": accuracy + 0.01},
            "baselines": baselines or {},
            "tokens_per_second": rate,
            "wall_seconds": seconds,
        }
    )
    return found


def interrupted(folder: Path, content: dict[str, Any], accuracy: float) -> RunFolder:
    found = run(folder, content)
    found.checkpoints.mkdir()
    found.last.touch()
    found.note_progress(
        epoch=1, step=20, seconds=4.0, best={"accuracy": accuracy, "loss": 0.5}, monitor="validation/accuracy"
    )
    return found


def sweep(folder: Path, jobs: dict[str, list[str]], **facts: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {"jobs_by": "grid", "swept": ["model", "seed"], "jobs": jobs, **facts}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def damage(folder: Path) -> None:
    """A run whose figures are half a file."""
    finished(folder, config(), 0.5)
    whole = (folder / "metrics.json").read_text()
    (folder / "metrics.json").write_text(whole[: len(whole) // 2])
    assert json.loads(whole)

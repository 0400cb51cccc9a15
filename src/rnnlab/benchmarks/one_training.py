"""One training in a process of its own: ``python -m rnnlab.benchmarks.one_training CONFIG.json FOLDER``."""

import json
import sys
import time
from pathlib import Path

from rnnlab.benchmarks.child_process import unseen_terminal
from rnnlab.training.fit import fit


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

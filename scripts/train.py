"""Train: ``python scripts/train.py [group=choice ...] [key=value ...]``; ``--help`` tells what there is."""

from pathlib import Path
from typing import Any

from rnnlab.command_line import run_hydra
from rnnlab.training.resume import run_folder

CONF = Path(__file__).resolve().parents[1] / "conf"


def train(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Train one run in its folder, or go on with it."""
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.training.train import train_one

    train_one(config, folder, overrides, CONF)


if __name__ == "__main__":
    run_hydra(train, CONF, "train", {"rnnlab.run_folder": run_folder})

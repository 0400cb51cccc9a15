"""Train a run, or go on with one; ``-m`` for many."""

from pathlib import Path
from typing import Any

from rnnlab.command_line import run_hydra
from rnnlab.folders import conf_folder
from rnnlab.training.resume import run_folder


def train(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Train one run in its folder, or go on with it."""
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from rnnlab.training.train import train_one

    train_one(config, folder, overrides, conf_folder())


def main() -> None:
    """Do what the words of the command line ask, and exit."""
    run_hydra(train, conf_folder(), "train", {"rnnlab.run_folder": run_folder})


if __name__ == "__main__":  # as Lightning starts the further processes of trainer.devices=2
    main()

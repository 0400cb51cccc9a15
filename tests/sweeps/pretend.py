"""scripts/train.py with a training that takes no time: for tests of what sweeps do around it.

    python pretend.py -m seed=1,2,3

Runs of data=csv keep what they were made from. Each epoch leaves a checkpoint, and each beginning a line in
the file that RNNLAB_JOURNAL names. A run with seed 13 fails, one with seed 14 kills its own process after its
first epoch, one with seed 15 is stopped then. A run that is a line of the file that RNNLAB_HELD names waits
after its first epoch, until that file is gone.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from rnnlab.command_line import run_hydra
from rnnlab.errors import DataError
from rnnlab.interruption import Interrupted, check
from rnnlab.training.origin import origin_of
from rnnlab.training.resume import run_folder
from rnnlab.training.run_folder import RunFolder

CONF = Path(__file__).resolve().parents[2] / "conf"
RESOLVERS = {"rnnlab.run_folder": run_folder}
FAILING, DYING, STOPPED = 13, 14, 15


def pretend(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Train by counting epochs; the better, the nearer the learning rate is to 0.01."""
    run = RunFolder(folder)
    note(f"{folder.name} {'resumed' if config['resume'] else 'started'}")
    if not config["resume"]:
        origin = origin_of(config) if config["data"]["name"] == "csv" else None
        run.begin({key: section for key, section in config.items() if key != "sweep"}, origin)
    if config["seed"] == FAILING:
        raise DataError("No luck with seed 13.")
    run.checkpoints.mkdir(exist_ok=True)
    done = int(run.last.read_text()) if run.last.exists() else 0
    for epoch in range(done, config["trainer"]["max_epochs"]):
        if epoch == 1:
            hold(folder.name)
            if not config["resume"]:
                trouble(config["seed"])
        run.last.write_text(str(epoch + 1))
    lr = config["optimizer"]["lr"]
    run.finish({"validation": {"accuracy": 1 / (1 + abs(lr - 0.01))}, "seed": config["seed"]})
    note(f"{folder.name} finished")


def hold(name: str) -> None:
    """Wait as long as the run is held."""
    held = Path(os.environ.get("RNNLAB_HELD", "nothing"))
    while held.exists() and name in held.read_text().splitlines():
        note(f"{name} held")
        check()
        time.sleep(0.1)


def trouble(seed: int) -> None:
    """End the run as its seed demands."""
    if seed == DYING:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == STOPPED:
        raise Interrupted("Stopped after the first epoch.")


def note(line: str) -> None:
    """Write a line into the journal."""
    with Path(os.environ["RNNLAB_JOURNAL"]).open("a", encoding="utf-8") as journal:
        journal.write(f"{line}\n")


if __name__ == "__main__":
    run_hydra(pretend, CONF, "train", RESOLVERS)

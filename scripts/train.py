"""Train: ``python scripts/train.py [group=choice ...] [key=value ...]``; ``--help`` tells what there is."""

from pathlib import Path
from typing import Any

from rnnlab.command_line import run_hydra
from rnnlab.training.automatic import run_folder, settled_config
from rnnlab.training.run_folder import RunFolder

CONF = Path(__file__).resolve().parents[1] / "conf"


def train(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
    """Train one run in its folder, or go on with it."""
    # Here, and not above: torch takes seconds to import, and --help needs none of it.
    from hydra.core.hydra_config import HydraConfig

    from rnnlab.said_keys import said_keys
    from rnnlab.sweeps.trial_link import watchers
    from rnnlab.training.fit import fit
    from rnnlab.training.initial_run import adopted, read_initial_run

    if config["init_from"]:
        said = said_keys(overrides, HydraConfig.get().runtime.choices, CONF)
        config = adopted(config, read_initial_run(config["init_from"]), said)
    fit(settled_config(config, RunFolder(folder), overrides), folder, watchers())


if __name__ == "__main__":
    run_hydra(train, CONF, "train", {"rnnlab.run_folder": run_folder})

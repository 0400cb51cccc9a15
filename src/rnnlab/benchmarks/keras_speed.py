"""An epoch of the Keras textbook program against rnnlab's experiment of the same content."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from hydra import compose
from omegaconf import OmegaConf

from rnnlab.benchmarks.keras_process import KerasProcess
from rnnlab.benchmarks.settings import Settings
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.benchmarks.turns import Turn, paired, summary, take_turns
from rnnlab.cells import cell_named
from rnnlab.cells.cell import TorchCell
from rnnlab.data.text_data import TextData
from rnnlab.training.encoding_progress import encoding_progress
from rnnlab.training.fit import assemble_data, assemble_task

log = logging.getLogger(__name__)

EXPERIMENT = "keras_simple_rnn"


@dataclass
class RnnlabProgram:
    """rnnlab's experiment, an epoch a turn, each going on from the checkpoint of the one before."""

    path: TrainerPath
    data: TextData
    epochs: int = 0

    def turn(self) -> Turn:
        """Train the next epoch."""
        self.epochs += 1
        checkpoint = self.path.folder.last if self.epochs > 1 else None
        return self.path.fit(self.epochs, self.data, checkpoint)


def experiment(cell: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of the textbook experiment with another cell, on the benchmark's device.

    It is composed as ``scripts/train.py`` composes it, so Hydra must know where configurations lie.
    """
    words = [f"experiment={EXPERIMENT}", f"model={cell}", f"model.backend={config['backend']}"]
    composed: Any = OmegaConf.to_container(compose("train", [*words, f"seed={config['seed']}"]), resolve=True)
    composed["trainer"]["accelerator"] = config["trainer"]["accelerator"]
    return dict(composed)


def measure(
    config: Mapping[str, Any], settings: Settings, folder: Path, device: torch.device
) -> dict[str, Any]:
    """Race the two programs, epoch by epoch, for every cell.

    Returns:
        The versions of Keras and its backend, and a row for each cell, as plain data.

    Raises:
        RunError: if the Keras program fails.
    """
    rows = []
    data = cast(TextData, assemble_data(experiment(settings.cells[0], config)))  # experiment= is on reviews
    with encoding_progress() as progress:
        data.prepare(progress)
    documents = data.encoded.splits["train"]
    with KerasProcess(documents, folder, settings.keras_python) as keras:
        for cell in settings.cells:
            rows.append(measure_row(experiment(cell, config), settings, data, keras, cell, device))
            log.info(report_of(rows[-1]))
    return {"versions": keras.versions, "documents": len(documents), "rows": rows}


def measure_row(
    config: Mapping[str, Any],
    settings: Settings,
    data: TextData,
    keras: KerasProcess,
    cell: str,
    device: torch.device,
) -> dict[str, Any]:
    """Race the two programs with one cell."""
    torch.manual_seed(config["seed"])
    keras.build(cast(TorchCell, cell_named(cell)).keras_layer, config["seed"])
    with tempfile.TemporaryDirectory(prefix="rnnlab-benchmark-") as folder:
        rnnlab = RnnlabProgram(TrainerPath(config, assemble_task(config, data), Path(folder), device), data)
        programs = {"rnnlab": rnnlab.turn, "keras": keras.turn}
        turns = take_turns(programs, dict.fromkeys(programs, settings.keras_epochs))
    seconds = {name: [turn.training.seconds for turn in had] for name, had in turns.items()}
    return {
        "cell": cell,
        "seconds_per_epoch": {name: summary(values) for name, values in seconds.items()},
        "times_as_fast": paired(seconds["keras"], seconds["rnnlab"]),
        "loss": {name: [turn.loss for turn in had] for name, had in turns.items()},
        "accuracy": {name: [turn.accuracy for turn in had] for name, had in turns.items()},
        "peak_memory_bytes": {name: had[-1].peak_memory for name, had in turns.items()},
    }


def report_of(row: Mapping[str, Any]) -> str:
    """Return a line on a finished row."""
    seconds = {name: found["median"] for name, found in row["seconds_per_epoch"].items()}
    return (
        f"{row['cell']}: an epoch takes rnnlab {seconds['rnnlab']:.1f} s and Keras {seconds['keras']:.1f} s"
    )

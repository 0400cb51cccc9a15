"""An epoch of the Keras textbook program against rnnlab's experiment of the same content."""

import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import torch
from hydra import compose
from omegaconf import OmegaConf

from rnnlab.benchmarks.settings import Settings
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.benchmarks.turns import Pass, Turn, paired, summary, take_turns
from rnnlab.data.text_data import TextData
from rnnlab.encoder.foreign_weights import CELLS
from rnnlab.errors import RunError
from rnnlab.interruption import waiting
from rnnlab.text.encoded import EncodedSplit
from rnnlab.training.fit import assemble_task, prepared_data

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("keras_program.py")
_SECONDS_TO_END = 20


def is_there(python: str | None) -> bool:
    """Return whether there is a Keras with TensorFlow: in ``python``, if one is named, else in this one."""
    return python is not None or all(map(importlib.util.find_spec, ("keras", "tensorflow")))


class KerasProcess:
    """Trains the Keras textbook program on some documents, in a process of its own.

    Args:
        documents: what to train on, ids below 10,000.
        folder: where the process's words are kept, in ``keras.log``.
        python: the interpreter that has Keras; None is this one.
        program: the file to run.

    Attributes:
        versions: of Python, Keras and TensorFlow, once it has started.

    Raises:
        RunError: if the process does not start, or ends early; with its last words.
    """

    def __init__(
        self,
        documents: EncodedSplit,
        folder: Path,
        python: str | None = None,
        program: Path = PROGRAM,
    ) -> None:
        self.documents, self.python, self.program = documents, python or sys.executable, program
        self.log = folder / "keras.log"
        self.tokens = int(documents.offsets[-1])
        self.versions: dict[str, Any] = {}

    def __enter__(self) -> "KerasProcess":
        self.room = tempfile.TemporaryDirectory(prefix="rnnlab-keras-")
        file = Path(self.room.name) / "documents.npz"
        np.savez(file, **{name: getattr(self.documents, name) for name in ("tokens", "offsets", "labels")})
        self.words = self.log.open("w", encoding="utf-8")
        try:
            # A session of its own: Ctrl-C is for the parent, which ends this process in good order.
            self.process = subprocess.Popen(
                [self.python, str(self.program), str(file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.words,
                text=True,
                start_new_session=True,
                env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
            )
        except OSError as error:
            self.leave()
            raise RunError(f"keras_python={self.python}: can't run it ({error}).") from error
        try:
            self.versions = self.answer()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def build(self, layer: str, seed: int) -> None:
        """Make the model anew, with Keras's recurrent layer of that name."""
        self.order(do="build", layer=layer, seed=seed)

    def turn(self) -> Turn:
        """Train an epoch; its tokens are those of the documents as they were given."""
        had = self.order(do="epoch")
        return Turn(
            training=Pass(had["seconds"], self.tokens),
            inference=None,
            loss=had["loss"],
            accuracy=had["accuracy"],
            peak_memory=had["peak_memory"],
        )

    def order(self, **content: Any) -> dict[str, Any]:
        """Give an order and wait for the answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(content) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; the missing answer says so
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for an answer.

        Raises:
            RunError: if the process has ended.
        """
        assert self.process.stdout is not None
        with waiting():
            line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            last = "\n".join(self.log.read_text(encoding="utf-8").splitlines()[-3:])
            raise RunError(
                f"The Keras program under {self.python} ended with status {status}; {self.log} has all it "
                f"said, at last:\n{last}\nLeave it out with keras=false, or name a Python that has keras and "
                "tensorflow: keras_python=..."
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.close()  # no more orders: it ends by itself, unless it is busy
            self.process.wait(timeout=_SECONDS_TO_END if self.versions else 0)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.leave()

    def leave(self) -> None:
        """Close the log and remove the documents."""
        self.words.close()
        self.room.cleanup()


def experiment(cell: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of the textbook experiment with another cell, on the benchmark's device.

    It is composed as ``scripts/train.py`` composes it, so Hydra must know where configurations lie.
    """
    words = ["experiment=keras_simple_rnn", f"model={cell}", f"model.backend={config['backend']}"]
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
    data = cast(TextData, prepared_data(experiment(settings.cells[0], config)))  # experiment= is on reviews
    documents = data.encoded.splits["train"]
    with KerasProcess(documents, folder, settings.keras_python) as keras:
        for cell in settings.cells:
            rows.append(measure_row(experiment(cell, config), settings, data, keras, cell, device))
            seconds = {name: found["median"] for name, found in rows[-1]["seconds_per_epoch"].items()}
            took = "%s: an epoch takes rnnlab %.1f s and Keras %.1f s"
            log.info(took, cell, seconds["rnnlab"], seconds["keras"])
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
    keras.build(next(kind for kind, ours in CELLS.items() if ours == cell), config["seed"])
    with tempfile.TemporaryDirectory(prefix="rnnlab-benchmark-") as folder:
        path, epochs = TrainerPath(config, assemble_task(config, data), Path(folder), device), count(1)

        def turn() -> Turn:  # each epoch goes on from the checkpoint of the one before
            epoch = next(epochs)
            return path.fit(epoch, data, path.folder.last if epoch > 1 else None)

        programs = {"rnnlab": turn, "keras": keras.turn}
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

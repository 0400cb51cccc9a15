"""The process in which Keras trains, seen from here: it sits idle until it is told to train an epoch."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from rnnlab.benchmarks.turns import Pass, Turn
from rnnlab.data.documents import FlatDocuments
from rnnlab.errors import RunError
from rnnlab.interruption import waiting

PROGRAM = Path(__file__).with_name("keras_program.py")
_SECONDS_TO_END = 20


def is_there(python: str | None) -> bool:
    """Return whether there is a Keras with TensorFlow: in ``python``, if one is named, else in this one."""
    if python is not None:
        return True
    return all(importlib.util.find_spec(name) is not None for name in ("keras", "tensorflow"))


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
        documents: FlatDocuments,
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
        parts = {name: getattr(self.documents, name) for name in ("tokens", "offsets", "labels")}
        np.savez(file, **parts)
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

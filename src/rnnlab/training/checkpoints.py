"""Checkpoints: plain data, written whole or not at all; for a broken one the one before it is used.

They hold the random states, too, so that a resumed run draws what the uninterrupted one would have.
"""

import logging
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback

from rnnlab.atomic import written_beside
from rnnlab.errors import RunError
from rnnlab.files.bounded import damaged, reason_of
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)


class RandomStates(Callback):
    """Saves Python's, NumPy's and PyTorch's random states; puts them back before training goes on.

    Of several GPUs it saves the one that its process computes on.
    """

    def __init__(self) -> None:
        self.loaded: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the states as plain data."""
        version, internal, gauss = random.getstate()
        name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
        states: dict[str, Any] = {
            "python": [version, list(internal), gauss],
            "numpy": [
                str(name),
                torch.from_numpy(np.asarray(keys).astype(np.int64)),
                position,
                has_gauss,
                cached,
            ],
            "torch": torch.get_rng_state(),
        }
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state()
        return states

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember the states; building the loaders may still draw numbers."""
        self.loaded = state_dict

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Put the states back, if the run goes on from a checkpoint."""
        if self.loaded is None:
            return
        version, internal, gauss = self.loaded["python"]
        random.setstate((version, tuple(internal), gauss))
        name, keys, position, has_gauss, cached = self.loaded["numpy"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
        torch.set_rng_state(self.loaded["torch"])
        if "cuda" in self.loaded and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.loaded["cuda"])
        elif "cuda" in self.loaded:
            log.warning(
                "The run was begun where there is a GPU, and there is no GPU here: it goes on with the "
                "CPU's random numbers, and will not end as it would have there."
            )
        self.loaded = None


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it; reads plain data only.

    Lightning's own goes through a temporary folder that may lie on another disk, from where a file is
    copied, not renamed.

    Args:
        folder: the run; of its last checkpoint the one before is kept, too.
    """

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            RnnlabError: if the disk is full; what lay at ``path`` before is untouched.
        """
        with written_beside(Path(path)) as unfinished:
            # Into a file of Python's: of a full disk PyTorch's own writer says `unexpected pos 64 vs 0`.
            with unfinished.open("wb") as file:
                torch.save(checkpoint, file)
            if Path(path) == self.folder.last and self.folder.last.exists():
                give_second_name(self.folder.last, self.folder.previous)

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the checkpoint at ``path``, on the CPU."""
        return read_checkpoint(Path(path))


def give_second_name(file: Path, name: Path) -> None:
    """Let ``file`` be found under ``name``, too, in place of what was there; at no time is either missing."""
    with written_beside(name) as second:
        try:
            os.link(file, second)
        except OSError:  # a disk without hard links
            shutil.copyfile(file, second)


class Resumable(NamedTuple):
    """A checkpoint to go on from: the file, and what it holds."""

    file: Path
    content: dict[str, Any]

    @property
    def step(self) -> int:
        """The optimizer steps that it has behind it."""
        return int(self.content["global_step"])


def newest_whole(folder: RunFolder) -> Resumable | None:
    """Return the newest checkpoint of a run that is not broken; ``None`` where the run has none yet.

    Warns if it is not the last one.

    Raises:
        RunError: if there are checkpoints and all of them are broken.
    """
    problems: list[str] = []
    for file in (folder.last, folder.previous):
        try:
            content = read_checkpoint(file)
        except RunError as error:
            if file.exists() or problems:
                problems.append(str(error))
            continue
        found = Resumable(file, content)
        if file != folder.last:
            log.warning(
                "%s GOING ON FROM THE CHECKPOINT BEFORE IT, %s (step %d); the work since then is done again.",
                problems[0] if problems else f"There is no {folder.last}.",
                file,
                found.step,
            )
        return found
    if problems:
        listed = "\n  ".join(problems)
        raise RunError(f"{folder.path} has no whole checkpoint to go on from:\n  {listed}\nStart it anew.")
    return None


@contextmanager
def damage_told(start: Resumable | None, batches_begun: Callable[[], int]) -> Iterator[None]:
    """Turn what comes of a checkpoint whose states can't be put back into an error for people.

    Optimizers, loops and callbacks write their own parts of it, and find only in their first step that they
    are of another shape.

    Args:
        start: the checkpoint that the training goes on from.
        batches_begun: tells how many training batches there were: with a second one the states are good.

    Raises:
        DamagedFileError: naming the file.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError) as error:
        if start is None or batches_begun() > 1:
            raise
        reason = f"its state of a training can't be put back ({type(error).__name__}: {reason_of(error)})"
        mend = "Remove it: the one before it is used, or the run begins anew."
        raise damaged(start.file, reason, mend) from error

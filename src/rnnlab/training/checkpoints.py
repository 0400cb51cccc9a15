"""Checkpoints: plain data, written whole or not at all; for a broken one the one before it is used."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from rnnlab.atomic import written_beside
from rnnlab.errors import RunError
from rnnlab.files.bounded import damaged, reason_of
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.training.run_folder import RunFolder

log = logging.getLogger(__name__)


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

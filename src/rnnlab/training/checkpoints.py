"""Checkpoints: plain data, written whole or not at all, the best and the last of a run."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from rnnlab.atomic import written_beside
from rnnlab.errors import RunError
from rnnlab.models.task import CHECKPOINT_FORMAT, Task

BEST, LAST = "best", "last"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it; reads plain data only.

    Lightning's own goes through a temporary folder that may lie on another disk, from where a file is
    copied, not renamed.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write ``checkpoint`` to ``path``.

        Raises:
            RnnlabError: if the disk is full; what lay at ``path`` before is untouched.
        """
        with written_beside(Path(path)) as unfinished:
            torch.save(checkpoint, unfinished)

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the checkpoint at ``path``, on the CPU."""
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the contents of a checkpoint, on the CPU, executing nothing of it.

    Raises:
        RunError: if it is missing, damaged, no checkpoint of rnnlab's, of a later format, or if it holds
            anything but plain data.
    """
    if not path.is_file():
        raise RunError(f"There is no checkpoint {path}.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise RunError(
            f"{path} is refused: it is damaged, or holds more than plain data and would run code when loaded "
            f"({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise RunError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    if not isinstance(checkpoint, dict) or "rnnlab" not in checkpoint:
        raise RunError(f"{path} is no checkpoint of rnnlab's: it lacks the configuration and vocabulary.")
    found = checkpoint["rnnlab"].get("format")
    if not isinstance(found, int) or found > CHECKPOINT_FORMAT:
        raise RunError(
            f"{path} has checkpoint format {found}; this rnnlab reads up to {CHECKPOINT_FORMAT}: upgrade it."
        )
    return checkpoint


def keep_best_and_last(folder: Path, task: Task, every_n_epochs: int = 1) -> ModelCheckpoint:
    """Return the callback that keeps ``best.ckpt`` (by the task's monitor) and ``last.ckpt``."""
    callback = ModelCheckpoint(
        dirpath=folder,
        filename=BEST,
        monitor=task.monitor,
        mode=task.mode,
        save_top_k=1,
        save_last=True,
        every_n_epochs=every_n_epochs,
        auto_insert_metric_name=False,
        enable_version_counter=False,
    )
    callback.CHECKPOINT_NAME_LAST = LAST
    return callback

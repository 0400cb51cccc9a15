"""What has become of a run, as its folder tells: nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rnnlab.errors import DamagedFileError
from rnnlab.files.bounded import glimpse
from rnnlab.training.run_lock import by_whom, is_held

if TYPE_CHECKING:
    from rnnlab.training.run_folder import RunFolder

StateName = Literal["finished", "running", "interrupted", "failed", "empty"]


@dataclass(frozen=True)
class RunState:
    """What has become of a run.

    Attributes:
        name: ``finished`` (its figures are there), ``running`` (a living process holds its ``run.lock``),
            ``failed`` (an error ended it), ``interrupted`` (a checkpoint to go on from, nobody running), or
            ``empty`` (nothing to go on from).
        reason: why it failed, or who is running it; empty elsewhere.
        epoch: epochs finished at its last checkpoint, ``None`` where it has none.
        step: optimizer steps done at its last checkpoint, ``None`` where it has none.
    """

    name: StateName
    reason: str = ""
    epoch: int | None = None
    step: int | None = None


def state_of(folder: RunFolder, *, owner: bool = False) -> RunState:
    """Return what has become of the run in ``folder``; ``empty`` where there is none.

    Args:
        folder: the run's folder.
        owner: whether this process holds the run's lock itself and asks what was left behind.
    """
    progress = progress_of(folder)
    epoch, step = progress.get("epoch"), progress.get("step")
    who = by_whom(folder.lock_file).strip()
    if not owner and is_held(folder.lock_file):
        return RunState("running", who, epoch, step)
    if folder.metrics_file.exists():
        return RunState("finished", "", epoch, step)
    if folder.error_file.is_file():
        return RunState("failed", glimpse(folder.error_file).strip(), epoch, step)
    if folder.last.is_file() or folder.previous.is_file():
        return RunState("interrupted", "", epoch, step)
    return RunState("empty")


def progress_of(folder: RunFolder) -> dict[str, Any]:
    """Return what the run wrote beside its last checkpoint, empty where it has none.

    ``epoch``, ``step``, ``seconds`` (of all its processes so far) and, once there is a best checkpoint,
    ``best``: the validation metrics of it. Of a damaged file nothing is known: the checkpoint counts.
    """
    try:
        return folder.progress()
    except DamagedFileError:
        return {}

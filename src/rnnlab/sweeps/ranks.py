"""The processes that SLURM starts for a job of several devices: the first decides, the others follow."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rnnlab import interruption
from rnnlab.atomic import write_text
from rnnlab.files.bounded import glimpse

POLL = 0.2  # seconds between two looks at what the first process has decided

Decision = Literal["start", "resume", "nothing"]


@dataclass(frozen=True)
class Ranks:
    """A job's processes, seen from one of them.

    Attributes:
        rank: of this one, from 0.
        file: in which the first writes what is done about the job. It lies in the folder of the invocation
            that launched the job, which goes when that invocation is dead, and is named by SLURM's job and
            how often that was started: what was decided before it was requeued does not count.
    """

    rank: int
    file: Path

    @property
    def is_first(self) -> bool:
        """Whether this process decides."""
        return self.rank == 0

    def tell(self, decision: Decision) -> None:
        """Tell the others; what was told first stands, and an invocation that is dead has none to tell."""
        if self.file.parent.is_dir() and not self.file.exists():
            write_text(self.file, decision)

    def heard(self) -> str:
        """Wait for what the first has decided, and return it.

        Raises:
            Interrupted: if a signal comes meanwhile.
        """
        with interruption.waiting():
            while not self.file.exists():
                if not self.file.parent.is_dir():
                    return "nothing"
                time.sleep(POLL)
        return glimpse(self.file, 100)


def ranks_of(folder: Path, job: str) -> Ranks | None:
    """Return the processes of a job, ``None`` where it has this one alone.

    Args:
        folder: of the invocation that launched the job.
        job: its name.
    """
    if os.environ.get("SUBMITIT_EXECUTOR") != "slurm" or os.environ.get("SLURM_NTASKS", "1") == "1":
        return None
    start = f"{os.environ['SLURM_JOB_ID']}-{os.environ.get('SLURM_RESTART_COUNT', '0')}"
    return Ranks(int(os.environ["SLURM_PROCID"]), folder / f"{job}.{start}.decided")

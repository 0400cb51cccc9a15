"""A contestant that is a process of its own."""

import subprocess
from collections.abc import Sequence

from rnnlab import interruption
from rnnlab.errors import RunError


def output_of(command: Sequence[str], what: str) -> str:
    """Run a command and return what it wrote to standard output.

    Raises:
        RunError: if it fails: ``what``, its status and its last words.
    """
    ended = subprocess.run(list(command), capture_output=True, text=True, check=False)
    interruption.check()  # the terminal has told it, too
    if ended.returncode:
        last = "\n".join(ended.stderr.strip().splitlines()[-3:])
        raise RunError(f"{what} ended with status {ended.returncode}:\n{last}")
    return ended.stdout

"""Outputs are never overwritten unasked."""

from itertools import chain, count
from pathlib import Path

from rnnlab.errors import RunError


def free_name(target: Path) -> Path:
    """Return ``target``, or with a number where that exists: ``explanation_2.html``."""
    numbered = (target.with_name(f"{target.stem}_{number}{target.suffix}") for number in count(2))
    return next(name for name in chain([target], numbered) if not name.exists())


def check_output(target: Path, overwrite: bool, source: Path | None = None) -> None:
    """Check that ``target`` may be written.

    Raises:
        RunError: if it exists and ``overwrite`` is not set, or is a folder or the input itself.
    """
    if target.is_dir():
        raise RunError(f"output={target} is a folder; name a file.")
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise RunError(f"output={target} is the input itself; name another file.")
    if target.exists() and not overwrite:
        raise RunError(f"{target} exists. Name another output, or pass overwrite=true.")

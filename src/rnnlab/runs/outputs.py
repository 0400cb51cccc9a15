"""Outputs are never overwritten unasked."""

from pathlib import Path

from rnnlab.errors import RunError


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

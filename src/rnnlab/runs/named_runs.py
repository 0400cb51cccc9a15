"""Runs by what a person types, and by what tells them apart."""

import os
from collections.abc import Sequence
from pathlib import Path

from rnnlab.errors import RunError
from rnnlab.training.run_folder import RunFolder


def named(pattern: str) -> list[Path]:
    """Return the path, or the run folders and checkpoints that a pattern matches, sorted.

    Raises:
        RunError: if there is none.
    """
    path = Path(pattern)
    if path.exists():
        return [path]
    root = Path(path.anchor or ".")
    matches = (
        sorted(root.glob(str(path.relative_to(path.anchor)))) if any(c in pattern for c in "*?[") else []
    )
    found = [match for match in matches if match.suffix == ".ckpt" or is_run(match)]
    if not found:
        raise RunError(f"There is no run folder and no checkpoint {pattern}.")
    return found


def run_folders(patterns: Sequence[str]) -> list[RunFolder]:
    """Return the run folders that patterns name, each once; a folder of runs, as of a sweep, names all in it.

    Raises:
        RunError: if a pattern names none.
    """
    found: dict[Path, RunFolder] = {}
    for pattern in patterns:
        for path in named(pattern):
            inside = (
                [path] if is_run(path) else sorted(filter(is_run, path.iterdir() if path.is_dir() else ()))
            )
            if not inside:
                raise RunError(f"{path} is no run folder: it has no config.yaml, nor has any folder in it.")
            found.update((one, RunFolder(one)) for one in inside)
    return list(found.values())


def is_run(path: Path) -> bool:
    """Return whether a run lives in a folder."""
    return RunFolder(path).config_file.is_file()


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Return the paths without the folder that all have in common.

    >>> folder_names([Path("/logs/a/x"), Path("/logs/b")]), folder_names([Path("/logs/a")])
    (['a/x', 'b'], ['a'])
    """
    if not paths:
        return []
    shared = os.path.commonpath([path.absolute().parent for path in paths])
    return [os.path.relpath(path.absolute(), shared) for path in paths]


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return for each path those of its parts that are not the same in all.

    >>> short_names([Path("logs/gru/a"), Path("logs/lstm/a")]), short_names([Path("logs/gru")])
    (['gru', 'lstm'], ['gru'])
    """
    parts = [path.resolve().parts for path in paths]
    if len({len(part) for part in parts}) > 1:
        return [str(path) for path in paths]
    kept = [place for place in range(len(parts[0])) if len({part[place] for part in parts}) > 1]
    return ["/".join(part[place] for place in kept) or part[-1] for part in parts]

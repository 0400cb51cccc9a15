"""The runs under a folder, each as what its files tell; what can't be read is told, not left out."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from rnnlab.errors import RunError
from rnnlab.results.job_words import told_by_words
from rnnlab.training.run_folder import SWEEP_FILE, RunFolder
from rnnlab.training.run_state import progress_of

SPLITS = ("validation", "test")
TRACES = ("config.yaml", "metrics.json", "error.txt", "run.lock", "checkpoints")
"""A folder that holds any of these is, or was to be, a run's."""
RESTARTED = ".before-"
"""In the name of a sweep's folder that was moved aside when the sweep started over."""


@dataclass(frozen=True)
class FoundRun:
    """What a run's folder tells.

    Attributes:
        path: the folder.
        status: ``finished``, ``running``, ``interrupted``, ``failed``, ``empty``, ``pruned``, ``broken``, or
            ``waiting``: a sweep's job that has no folder yet.
        reason: why it failed or is broken; empty elsewhere.
        config: the resolved configuration, dotted keys and plain values; empty where it is not known.
        metrics: by name, such as ``test/accuracy``, and those of simple methods on the same test split, such
            as ``bag of bigrams/accuracy``; of an unfinished run the best validation so far.
        seconds: how long it took; None where nothing tells.
        tokens_per_second: in training; None where nothing tells.
        is_partial: whether ``config`` is only what the words of a sweep's job tell.
        labels: the classes that a finished run tells apart, none elsewhere.
    """

    path: Path
    status: str
    reason: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    tokens_per_second: float | None = None
    is_partial: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What lies under some folders.

    Attributes:
        runs: in the order of their paths.
        left_out: sweeps that were started over, whose old runs are not counted again.
    """

    runs: Sequence[FoundRun]
    left_out: Sequence[Path] = ()


def found_under(places: Sequence[Path]) -> Findings:
    """Return every run under folders, or in them.

    Raises:
        RunError: if a folder does not exist, or there is no run in any.
    """
    runs: dict[Path, FoundRun] = {}
    left_out: dict[Path, None] = {}
    for place in places:
        if not place.is_dir():
            raise RunError(f"There is no folder {place}.")
        for folder in folders(place, left_out):
            if is_trace(folder):
                runs.setdefault(folder.resolve(), read(folder))
            for job in not_begun(folder):
                runs.setdefault(job.resolve(), FoundRun(job, "waiting"))
    if not runs:
        raise RunError(f"There is no run in {', '.join(map(str, places))}.")
    return Findings(with_words([runs[path] for path in sorted(runs)]), list(left_out))


def folders(place: Path, left_out: dict[Path, None]) -> Iterator[Path]:
    """Yield runs' folders and those above them; what lies in a run is its own."""
    for root, names, _ in os.walk(place):
        folder = Path(root)
        yield folder
        if is_trace(folder):
            names.clear()
        old = [name for name in names if RESTARTED in name]
        left_out.update(dict.fromkeys(folder / name for name in old))
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in old)


def is_trace(folder: Path) -> bool:
    """Return whether a run lives, or began to live, in a folder."""
    return any((folder / name).exists() for name in TRACES)


def read(path: Path) -> FoundRun:
    """Return what a run's folder tells, however little it is."""
    folder = RunFolder(path)
    try:
        state = folder.state()
        progress = progress_of(folder)
    except OSError as error:
        return FoundRun(path, "broken", f"can't be read: {error.strerror}")
    if state.name == "failed" and not folder.config_file.is_file():
        return FoundRun(path, "failed", state.reason)
    try:
        config = dict(flat(folder.config()))
        metrics = folder.metrics() if state.name == "finished" else {}
        scores = scores_of(metrics) if metrics else best_so_far(progress)
        seconds = metrics.get("wall_seconds", progress.get("seconds"))
        rate = metrics.get("tokens_per_second")
        return FoundRun(
            path,
            "pruned" if state.name == "interrupted" and is_pruned(path) else state.name,
            state.reason if state.name == "failed" else "",
            config,
            scores,
            None if seconds is None else float(seconds),
            None if not rate else float(rate),
            labels=tuple(map(str, metrics.get("labels", ()))),
        )
    except RunError as error:
        return FoundRun(path, "broken", str(error))
    except (OSError, TypeError, ValueError, AttributeError) as error:
        return FoundRun(path, "broken", f"{path} holds what rnnlab never writes ({error}).")


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values.

    >>> dict(flat({"model": {"layers": 1}, "seed": 2}))
    {'model.layers': 1, 'seed': 2}
    """
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def scores_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of both splits and of the baselines by their full names."""
    scored = {split: metrics.get(split, {}) for split in SPLITS} | (metrics.get("baselines") or {})
    return {f"{what}/{name}": float(value) for what, found in scored.items() for name, value in found.items()}


def best_so_far(progress: Mapping[str, Any]) -> dict[str, float]:
    """Return the validation metrics of an unfinished run's best checkpoint, none before the first."""
    return {
        f"validation/{name.removeprefix('validation/')}": float(value)
        for name, value in progress.get("best", {}).items()
    }


def not_begun(folder: Path) -> list[Path]:
    """Return where the jobs of a sweep will lie of which there is no folder; none where it is no sweep."""
    jobs = jobs_of(folder)
    return [folder / name for name in jobs if not (folder / name).exists()]


def is_pruned(path: Path) -> bool:
    """Return whether the search that a run belongs to gave it up."""
    return path.name in (facts_of(path.parent).get("pruned") or ())


def with_words(runs: Sequence[FoundRun]) -> list[FoundRun]:
    """Return the runs; those of sweeps without a configuration have what the words of their job tell."""
    sweeps = {path: jobs_of(path) for path in {run.path.parent for run in runs}}
    found = []
    for run in runs:
        jobs = sweeps[run.path.parent]
        if not run.config and run.path.name in jobs:
            siblings = [
                (jobs[other.path.name], other.config)
                for other in runs
                if other.config and other.path.parent == run.path.parent and other.path.name in jobs
            ]
            run = replace(run, config=told_by_words(jobs[run.path.name], siblings), is_partial=True)
        found.append(run)
    return found


def jobs_of(folder: Path) -> Mapping[str, Sequence[str]]:
    """Return the overrides of a sweep's jobs by the names of their folders; none where it is no sweep."""
    jobs = facts_of(folder).get("jobs")
    return jobs if isinstance(jobs, dict) else {}


def facts_of(folder: Path) -> dict[str, Any]:
    """Return what a sweep's folder says of it; empty where it is none, or is damaged."""
    try:
        facts = yaml.safe_load((folder / SWEEP_FILE).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}
    return facts if isinstance(facts, dict) else {}

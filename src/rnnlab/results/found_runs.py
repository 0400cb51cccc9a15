"""The runs under a folder, each as what its files tell; what can't be read is told, not left out.

Of a run that has no configuration yet the words of its sweep's job tell.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rnnlab.errors import DamagedFileError, RunError
from rnnlab.files.bounded import reason_of
from rnnlab.files.plain_file import NotPlainError, parsed_yaml
from rnnlab.results.differing_keys import FINGERPRINT, Config
from rnnlab.training.origin import CODE
from rnnlab.training.run_folder import SWEEP_FILE, RunFolder, read_sweep


def told_by_words(words: Sequence[str], siblings: Sequence[tuple[Sequence[str], Config]]) -> dict[str, Any]:
    """Return the dotted keys that a job's words set.

    A word such as ``model=gru`` chooses a file of settings: they are taken from a sibling with the same word,
    as far as all of those agree.

    Args:
        words: of the job, such as ``["model=gru", "optimizer.lr=0.1"]``.
        siblings: words and configurations of the sweep's other jobs.

    >>> told_by_words(["model=gru", "seed=2"], [(["model=gru", "seed=1"], {"model.cell": "gru", "seed": 1})])
    {'model.cell': 'gru', 'seed': 2}
    """
    found: dict[str, Any] = {}
    for word in words:
        key, _, text = word.lstrip("+~").partition("=")
        alike = [config for others, config in siblings if word in others]
        within = {name for config in alike for name in config if name.startswith(f"{key}.")}
        for name in sorted(within):
            values = [config.get(name) for config in alike]
            if all(value == values[0] for value in values):
                found[name] = values[0]
        is_choice = any(name.startswith(f"{key}.") for _, config in siblings for name in config)
        if not within and not is_choice:
            found[key] = plain(text)
    # What is typed for a key itself stands above what a chosen file says.
    typed = dict(word.lstrip("+~").partition("=")[::2] for word in words)
    return {name: plain(typed[name]) if name in typed else value for name, value in found.items()}


def plain(text: str) -> Any:
    """Return the value that a text spells; what YAML takes for a text although it is a number is one.

    >>> plain("1e-3"), plain("gru"), plain("null")
    (0.001, 'gru', None)
    """
    try:
        value = parsed_yaml(text)
    except NotPlainError:
        return text
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


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
        config: the resolved configuration, dotted keys and plain values, and ``fingerprint.data`` and such of
            what the run was made from; empty where it is not known.
        metrics: by name, such as ``test/accuracy``, and those of simple methods on the same test split, such
            as ``bag of bigrams/accuracy``; of an unfinished run the best validation so far.
        seconds: how long it took; None where nothing tells.
        tokens_per_second: in training; None where nothing tells.
        is_partial: whether ``config`` is only what the words of a sweep's job tell.
        labels: the classes that a finished run tells apart, none elsewhere.
        monitor: the metric that chose its best checkpoint; None where its folder does not say it.
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
    monitor: str | None = None


@dataclass(frozen=True)
class Findings:
    """What lies under some folders.

    Attributes:
        runs: in the order of their paths.
        left_out: sweeps that were started over, whose old runs are not counted again.
        problems: a sentence for each sweep's file that is damaged; its runs are here all the same.
    """

    runs: Sequence[FoundRun]
    left_out: Sequence[Path] = ()
    problems: Sequence[str] = ()


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
                runs.setdefault(job.absolute(), lacking(job))
    if not runs:
        raise RunError(f"There is no run in {', '.join(map(str, places))}.")
    found = [runs[path] for path in sorted(runs)]
    return Findings(with_words(found), list(left_out), damaged_sweeps(run.path for run in found))


def damaged_sweeps(runs: Iterable[Path]) -> list[str]:
    """Return a sentence for each file that says of some runs' sweep what it is about, and can't be read."""
    problems = []
    for folder in dict.fromkeys(run.parent for run in runs):
        try:
            read_sweep(folder / SWEEP_FILE)
        except DamagedFileError as error:
            problems.append(str(error))
        except OSError:  # there is none
            continue
    return problems


def folders(place: Path, left_out: dict[Path, None]) -> Iterator[Path]:
    """Yield runs' folders and those above them; what lies in a run is its own."""
    for root, names, _ in os.walk(place):
        folder = Path(root)
        yield folder
        if is_trace(folder):
            names.clear()
        links = [folder / name for name in names if (folder / name).is_symlink()]
        yield from (link for link in links if is_trace(link))  # what is linked to is not gone through further
        old = [name for name in names if RESTARTED in name]
        left_out.update(dict.fromkeys(folder / name for name in old))
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in old)


def is_trace(folder: Path) -> bool:
    """Return whether a run lives, or began to live, in a folder."""
    return any(os.path.lexists(folder / name) for name in TRACES)


def read(path: Path) -> FoundRun:
    """Return what a run's folder tells, however little it is."""
    folder = RunFolder(path)
    try:
        state = folder.state()
    except OSError as error:
        return FoundRun(path, "broken", f"can't be read: {error.strerror}")
    if state.name == "failed" and not folder.config_file.is_file():
        return FoundRun(path, "failed", state.reason)
    try:
        config = dict(flat(folder.config())) | fingerprints(folder.origin() or {})
        metrics = folder.metrics() if state.name == "finished" else {}
        progress = {} if metrics else folder.progress()
        scores = scores_of(metrics) if metrics else best_so_far(progress)
        seconds = metrics.get("wall_seconds", progress.get("seconds"))
        rate = metrics.get("tokens_per_second")
        is_pruned = state.name == "interrupted" and path.name in (facts_of(path.parent).get("pruned") or ())
        return FoundRun(
            path,
            "pruned" if is_pruned else state.name,
            state.reason if state.name == "failed" else "",
            config,
            scores,
            None if seconds is None else float(seconds),
            None if not rate else float(rate),
            labels=tuple(map(str, metrics.get("labels") or ())),
            monitor=(metrics or progress).get("monitor"),
        )
    except RunError as error:
        return FoundRun(path, "broken", str(error))
    except OSError as error:
        return FoundRun(path, "broken", f"can't be read: {error.strerror}")
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return FoundRun(path, "broken", f"its files are not as rnnlab writes them: {reason_of(error)}")


def fingerprints(origin: Mapping[str, str]) -> dict[str, str]:
    """Return what a run was made from as keys beside those of its configuration, the code in one.

    >>> fingerprints({"data": "0123456789abcdef"})
    {'fingerprint.data': 'sha-01234567'}
    """
    code = [f"{name} {digest}" for name, digest in sorted(origin.items()) if name.startswith(CODE)]
    rest = {name: digest for name, digest in origin.items() if not name.startswith(CODE)}
    if code:
        rest["code"] = hashlib.sha256("\n".join(code).encode()).hexdigest()
    return {f"{FINGERPRINT}{name.replace('.', '-')}": f"sha-{digest[:8]}" for name, digest in rest.items()}


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
    scored = {split: metrics.get(split) or {} for split in SPLITS} | (metrics.get("baselines") or {})
    return {f"{what}/{name}": float(value) for what, found in scored.items() for name, value in found.items()}


def best_so_far(progress: Mapping[str, Any]) -> dict[str, float]:
    """Return the validation metrics of an unfinished run's best checkpoint, none before the first."""
    return {
        f"validation/{name.removeprefix('validation/')}": float(value)
        for name, value in (progress.get("best") or {}).items()
    }


def not_begun(folder: Path) -> list[Path]:
    """Return where the jobs of a sweep will lie of which there is no folder; none where it is no sweep."""
    jobs = jobs_of(folder)
    return [folder / name for name in jobs if not (folder / name).exists()]


def lacking(job: Path) -> FoundRun:
    """Return a sweep's job that has no folder yet, or a link to one that is gone."""
    if job.is_symlink():
        return FoundRun(job, "broken", f"{job} is a link to nothing.")
    return FoundRun(job, "waiting")


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
    jobs: Mapping[str, Sequence[str]] = facts_of(folder).get("jobs") or {}
    return jobs


def facts_of(folder: Path) -> dict[str, Any]:
    """Return what a sweep's folder says of it; empty where it is none, or is damaged."""
    try:
        return read_sweep(folder / SWEEP_FILE)
    except (OSError, DamagedFileError):
        return {}

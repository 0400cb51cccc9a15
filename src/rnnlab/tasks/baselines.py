"""Simple methods beside the networks: computed once for a corpus and kept, and mixed with a network."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from rnnlab.atomic import write_text, written_beside
from rnnlab.errors import DamagedFileError
from rnnlab.files.array_file import Kind, read_packed
from rnnlab.files.plain_file import NUMBER, read_json
from rnnlab.folders import cache_folder

log = logging.getLogger(__name__)

LONGEST = 300  # characters of a reason
Figures = dict[str, dict[str, float]]
Arrays = dict[str, npt.NDArray[Any]]
Found = TypeVar("Found")
MEND = "The baseline is computed again."


def had(name: str, compute: Callable[[], Figures]) -> Figures:
    """Return ``compute()``; nothing, with a note, where it fails: a run's own figures are worth more.

    Args:
        name: of the baseline, for the note.
        compute: does the work.
    """
    try:
        return compute()
    except Exception as error:  # noqa: BLE001  whatever a library says of a text that is not for it
        reason = " ".join(str(error).split()) or type(error).__name__
        log.warning("There is no %s beside this run: %s.", name, reason[:LONGEST].rstrip("."))
        return {}


def kept(name: str, inputs: dict[str, Any], compute: Callable[[], Figures]) -> Figures:
    """Return ``compute()``, or what it returned when it was last asked for the same.

    Args:
        name: of the baseline, part of the file's name.
        inputs: plain data that decides the result: the corpus's fingerprint, the split, the settings.
        compute: does the work.
    """
    path = place(name, inputs, "json")
    return found_or(
        lambda: read_json(path, {str: {str: NUMBER}}, mend=MEND),
        compute,
        lambda found: write_text(path, json.dumps(found, indent=1)),
    )


def kept_arrays(
    name: str, inputs: dict[str, Any], kinds: Mapping[str, Kind], compute: Callable[[], Arrays]
) -> Arrays:
    """Return ``compute()``, or what it returned when it was last asked for the same: a baseline's answers.

    Args:
        name: of the baseline, part of the file's name.
        inputs: as for :func:`kept`.
        kinds: what the arrays are, by name.
        compute: does the work.
    """
    path = place(name, inputs, "npz")

    def keep(found: Arrays) -> None:
        with written_beside(path) as unfinished:
            np.savez(unfinished, **found)  # type: ignore[arg-type]

    return found_or(lambda: read_packed(path, kinds, mend=MEND), compute, keep)


def found_or(read: Callable[[], Found], compute: Callable[[], Found], keep: Callable[[Found], None]) -> Found:
    """Return what is read; what is computed, and then kept, where there is nothing or it is damaged."""
    try:
        return read()
    except FileNotFoundError:
        pass
    except DamagedFileError as error:
        log.warning("%s", error)
    found = compute()
    keep(found)
    return found


def place(name: str, inputs: dict[str, Any], ending: str) -> Path:
    """Return the file of what was computed from these inputs."""
    digest = hashlib.sha256(json.dumps([name, inputs], sort_keys=True).encode()).hexdigest()
    return cache_folder() / "baselines" / f"{name}-{digest[:24]}.{ending}"


Reals = npt.NDArray[np.floating[Any]]

TINY = 1e-12
"""No probability is taken for smaller, so that a sure and wrong answer can be mixed, too."""


class Mixture(NamedTuple):
    """What became of a mixture.

    Attributes:
        weight: the simple method's share, chosen on the validation split.
        figures: of the test split.
    """

    weight: float
    figures: Mapping[str, float]

    def as_row(self) -> dict[str, float]:
        """Return it as a row of figures, the weight among them."""
        return {**self.figures, "weight": self.weight}


def best_weight(loss: Callable[[float], float]) -> float:
    """Return where from 0 to 1 a loss that has one valley is least."""
    from scipy.optimize import minimize_scalar  # scipy's part for it takes a while to import

    found = float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4}).x)
    return min((0.0, found, 1.0), key=loss)


def mixed_log_odds(network: Reals, simple: Reals, weight: float) -> Reals:
    """Return log-probabilities whose log-odds are the weighted mean of two classifiers' log-odds.

    Args:
        network: probabilities ``(documents, classes)``.
        simple: likewise.
        weight: of the second.

    Returns:
        ``(documents, classes)`` float64; the probabilities of a document sum to 1.
    """
    from scipy.special import log_softmax

    logs = [np.log(np.maximum(part.astype(np.float64), TINY)) for part in (network, simple)]
    mixed = (1 - weight) * logs[0] + weight * logs[1]
    normalised: Reals = log_softmax(mixed, axis=1)
    return normalised


def mixed_losses(network: Reals, simple: Reals, weight: float) -> Reals:
    """Return the losses of tokens whose probability is the weighted mean of two models'.

    Args:
        network: negative log-probabilities ``(tokens,)`` in nats.
        simple: likewise.
        weight: of the second.

    >>> mixed_losses(np.array([1.0, 2.0]), np.array([3.0, 2.0]), 0.0).tolist()
    [1.0, 2.0]
    """
    if weight in (0.0, 1.0):
        return (simple if weight else network).astype(np.float64)
    logs = (np.log1p(-weight) - network.astype(np.float64), np.log(weight) - simple.astype(np.float64))
    losses: Reals = -np.logaddexp(*logs)
    return losses

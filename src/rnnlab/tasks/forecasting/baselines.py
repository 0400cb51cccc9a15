"""What every forecast has to beat: the last value, the last season, and weighted sums of the look-back."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]

RIDGES = (1e-6, 1e-4, 1e-2, 1.0)
"""Strengths that are tried, as shares of the mean square of a look-back's values."""


class SeenWindows(NamedTuple):
    """Windows of targets.

    Attributes:
        look_back: ``(batch, look_back, targets)``; what is missing is the last known value.
        truth: ``(batch, horizon, targets)``.
        known: bool of the same shape.
    """

    look_back: Floats
    truth: Floats
    known: npt.NDArray[np.bool_]


def last_value(look_back: Floats, horizon: int) -> Floats:
    """Return the last value again and again ``(batch, horizon, targets)``."""
    return np.repeat(look_back[:, -1:], horizon, axis=1)


def last_season(look_back: Floats, horizon: int, season: int) -> Floats:
    """Return the last season again and again ``(batch, horizon, targets)``."""
    return look_back[:, -season:][:, np.arange(horizon) % season]


def repeating(look_back: int, horizon: int, season: int) -> dict[str, Callable[[Floats], Floats]]:
    """Return the last value and, where the look-back holds one, the last season as forecasts, by name."""
    methods: dict[str, Callable[[Floats], Floats]] = {"last value": lambda read: last_value(read, horizon)}
    if 1 < season <= look_back:
        methods[f"last season ({season} steps)"] = lambda read: last_season(read, horizon, season)
    return methods


class LinearForecast:
    """NLinear (Zeng et al. 2023) in closed form: each step of the horizon is a weighted sum of the look-back.

    The last value is subtracted first. One set of weights serves all targets and series. They minimise the
    mean square error over the training windows, with a ridge that is chosen on validation::

        f = last + W (x - last) + b,    W = argmin |W x - y|^2 + ridge |W|^2
    """

    def __init__(self, weights: Numbers) -> None:
        self.weights = weights  # (look_back + 1, horizon); the last row is the constant

    @classmethod
    def fitted(cls, training: Iterable[SeenWindows], validation: Iterable[SeenWindows]) -> "LinearForecast":
        """Return the forecast that training windows ask for; a window with a missing target is left out.

        Args:
            training: read once, a batch at a time.
            validation: read once.
        """
        squares, products = 0.0, 0.0
        for batch in training:
            inputs, outputs = _pairs(batch)
            squares, products = squares + inputs.T @ inputs, products + inputs.T @ outputs
        gram, cross = np.asarray(squares), np.asarray(products)
        size = np.trace(gram[:-1, :-1]) / max(1, len(gram) - 1)
        penalty = np.eye(len(gram))
        penalty[-1, -1] = 0
        # The constant too needs something on the diagonal where no window was left.
        candidates = [
            cls(np.linalg.solve(gram + (ridge * size + 1e-12) * penalty + 1e-12 * np.eye(len(gram)), cross))
            for ridge in RIDGES
        ]
        errors = np.zeros(len(candidates))
        for batch in validation:
            inputs, outputs = _pairs(batch)
            errors += [((inputs @ candidate.weights - outputs) ** 2).sum() for candidate in candidates]
        return candidates[int(errors.argmin())]

    def forecast(self, look_back: Floats) -> Numbers:
        """Return ``(batch, horizon, targets)``."""
        last = look_back[:, -1:].astype(np.float64)
        centred = (look_back - last).transpose(0, 2, 1)
        said = centred @ self.weights[:-1] + self.weights[-1]
        return np.asarray(said.transpose(0, 2, 1) + last)


def _pairs(batch: SeenWindows) -> tuple[Numbers, Numbers]:
    """Return look-backs and horizons of single targets, the last value subtracted, a column of ones added."""
    last = batch.look_back[:, -1:].astype(np.float64)
    inputs = (batch.look_back - last).transpose(0, 2, 1).reshape(-1, batch.look_back.shape[1])
    outputs = (batch.truth - last).transpose(0, 2, 1).reshape(-1, batch.truth.shape[1])
    whole = batch.known.transpose(0, 2, 1).reshape(len(outputs), -1).all(axis=1)
    return np.column_stack((inputs, np.ones(len(inputs))))[whole], outputs[whole]

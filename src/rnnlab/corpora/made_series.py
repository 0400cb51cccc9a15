"""Hourly series that are made from a seed, so that a forecast can be tried on a machine without data."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.corpus import check_at_least, fingerprint_of
from rnnlab.corpora.frequency import Frequency
from rnnlab.corpora.series import (
    Borders,
    Columns,
    Reading,
    Series,
    SeriesCorpus,
    Size,
    borders_of,
    check_sizes,
)

DAY, WEEK = 24, 168
MEMORY = 0.9
"""How much of an hour's disturbance is left in the next (an autoregression of order one)."""


class MadeSeries(SeriesCorpus):
    """Demand of a few towns: a day and a week that come again, a disturbance that fades, noise that grows.

    Towns differ in level, in the hour of their peak and in how quiet their weekends are. The noise grows with
    the demand, so that a good interval is wider by day. A known ``holiday`` now and then looks like a Sunday.
    """

    name = "made_series"
    format_version = 1
    columns = Columns(("demand",), future=("holiday",))
    frequency = Frequency(1, "h")
    reading = Reading("time", id="town")

    def __init__(
        self, towns: int = 8, steps: int = 2000, validation: Size = 0.1, test: Size = 0.2, seed: int = 0
    ) -> None:
        """Say how much to make.

        Args:
            towns: how many series.
            steps: hours of each.
            validation: size of validation.
            test: size of the test.
            seed: all that the numbers depend on.

        Raises:
            ConfigError: if a number is too small.
        """
        check_at_least(1, towns=towns, steps=steps)
        check_sizes(validation=validation, test=test)
        self._made = {"towns": towns, "steps": steps, "seed": seed}
        self._split = (validation, test)

    @property
    def fingerprint(self) -> str:
        """Digest of the settings, which decide all."""
        return fingerprint_of(name=self.name, version=self.format_version, split=self._split, **self._made)

    def borders(self, series: Series) -> Borders:
        """Return where the splits of a series end."""
        return borders_of(series, *self._split)

    @cached_property
    def series(self) -> Sequence[Series]:
        """The towns."""
        steps = self._made["steps"]
        times = np.datetime64("2024-01-01", "us") + np.arange(steps) * np.timedelta64(1, "h")
        found = []
        for town in range(self._made["towns"]):
            chance = np.random.default_rng([self._made["seed"], town])
            values = _demand(steps, chance)
            found.append(Series(f"town {town + 1}", times, values, np.empty(0), steps))
        return found


def _demand(steps: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return demand and holiday of each hour ``(steps, 2)``."""
    hours = np.arange(steps)
    days = -(-steps // DAY)
    holidays = np.repeat(chance.random(days) < 1 / 20, DAY)[:steps]
    level, peak, quiet = chance.uniform(20, 200), chance.uniform(8, 20), chance.uniform(0.5, 0.9)
    shape = (
        1 + 0.5 * np.cos(2 * np.pi * (hours - peak) / DAY) + 0.15 * np.cos(4 * np.pi * (hours - peak) / DAY)
    )
    is_quiet = (hours % WEEK >= 5 * DAY) | holidays
    disturbance = np.empty(steps)
    shocks, last = chance.normal(0, 0.05, steps), 0.0
    for hour in range(steps):
        disturbance[hour] = last = MEMORY * last + shocks[hour]
    demand = level * shape * np.where(is_quiet, quiet, 1) * np.exp(disturbance)
    demand *= 1 + 0.04 * chance.standard_normal(steps)
    return np.column_stack((demand, holidays.astype(np.float64)))

"""How far apart the steps of a series are: told by a key, or inferred from its times."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.errors import ConfigError, nearest

Times = npt.NDArray[Any]
"""The times of steps: ``datetime64[us]``, or whole numbers where steps are only counted."""
Places = npt.NDArray[np.int64]
"""Places on the grid of a frequency, from the step that is 0."""

STEP, MONTH, BUSINESS_DAY = "step", "M", "B"
FIXED = {
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "D": 86_400_000_000,
    "W": 604_800_000_000,
}
"""Microseconds of the units that are always equally long."""
SPELLINGS = {
    **{"S": (1, "s"), "T": (1, "min"), "H": (1, "h"), "d": (1, "D"), "w": (1, "W"), "L": (1, "ms")},
    **{"MS": (1, MONTH), "ME": (1, MONTH), "steps": (1, STEP), "": (1, STEP)},
    **dict.fromkeys(("Q", "QS", "QE"), (3, MONTH)),
    **dict.fromkeys(("Y", "YS", "YE", "A"), (12, MONTH)),
}
"""What other programs call these units."""
SEASONS = {"ms": 86_400_000, "s": 86_400, "min": 1440, "h": 24, "D": 7, BUSINESS_DAY: 5, "W": 52, MONTH: 12}
"""Units in what mostly comes again: the day for its parts, the week for days, the year for all else."""
LONGEST_SEASON = 1440


@dataclass(frozen=True)
class Frequency:
    """Steps of ``count`` units: of a fixed length, of months (the same day or the last), or business days.

    Args:
        count: at least 1.
        unit: ``ms``, ``s``, ``min``, ``h``, ``D``, ``W``, ``M`` (months), ``B`` (Monday to Friday) or
            ``step`` for times that are whole numbers.
    """

    count: int
    unit: str

    @classmethod
    def named(cls, text: str) -> "Frequency":
        """Return the frequency that a text such as ``15min``, ``h``, ``QS`` or ``3M`` names.

        Raises:
            ConfigError: if it names none.
        """
        parts = re.fullmatch(r"(\d*)\s*([A-Za-z]*)(-[A-Z]{3})?", text.strip())
        number, name = (parts[1], parts[2]) if parts and text.strip() else ("", text)
        known = {**{unit: (1, unit) for unit in (*FIXED, MONTH, BUSINESS_DAY, STEP)}, **SPELLINGS}
        if name not in known or (not name and not number) or number.strip("0") == "" != number:
            units = (*FIXED, MONTH, BUSINESS_DAY)
            raise ConfigError(
                f"data.corpus.frequency={text}: expected a count and a unit, such as 15min, h, D or 3M. "
                f"{nearest(name, units)}"
            )
        times, unit = known[name]
        return cls(int(number or 1) * times, unit)

    def __str__(self) -> str:
        """Return it as :meth:`named` reads it.

        >>> str(Frequency.named("QS")), str(Frequency.named("15T")), str(Frequency(1, "h"))
        ('3M', '15min', 'h')
        """
        return self.unit if self.count == 1 else f"{self.count}{self.unit}"

    @property
    def season(self) -> int:
        """How many steps make what mostly comes again: 24 of hours, 7 of days, 12 of months; else 1."""
        whole = SEASONS.get(self.unit, 1)
        steps, rest = divmod(whole, self.count)
        return steps if not rest and 1 < steps <= LONGEST_SEASON else 1

    @property
    def is_of_days(self) -> bool:
        """Whether a step is one or several days, weeks or months."""
        return self.unit in ("D", "W", MONTH, BUSINESS_DAY)

    def origin(self, times: Times) -> Any:
        """Return the time from which the steps of a series are counted, one of its own.

        Mostly the first. But the last day of a short month tells no day of others: such are counted from a
        time that does, unless all are last days.

        Args:
            times: at least one, ascending.
        """
        if self.unit != MONTH:
            return times[0]
        tells_day = _to_month_s_end(times) > np.timedelta64(FIXED["D"], "us")
        return times[np.argmax(tells_day)]

    def grid(self, times: Times, steps: int) -> Times:
        """Return the times of so many steps ``(steps,)`` from the first of a series' times on."""
        origin = self.origin(times)
        first, _ = self.places(times[:1], origin)
        return self.times(origin, first + np.arange(steps))

    def places(self, times: Times, first: Any) -> tuple[Places, npt.NDArray[np.bool_]]:
        """Return where times lie on the grid that begins at ``first``, and which of them lie on it exactly.

        Args:
            times: ``(steps,)``.
            first: a time on the grid.
        """
        origin = np.asarray(first).astype(times.dtype)
        if self.unit == BUSINESS_DAY:
            days, start = times.astype("datetime64[D]"), origin.astype("datetime64[D]")
            units = np.busday_count(start, days).astype(np.int64)
            fits = np.is_busday(days) & (times - days == origin - start)
        elif self.unit == MONTH:
            units = (times.astype("datetime64[M]") - origin.astype("datetime64[M]")).astype(np.int64)
            fits = times == _months_after(origin, units)
        else:
            length = FIXED.get(self.unit, 1)
            units, rest = np.divmod((times - origin).astype(np.int64), length)
            fits = rest == 0
        numbers, rest = np.divmod(units, self.count)
        return numbers, fits & (rest == 0)

    def times(self, first: Any, places: Places) -> Times:
        """Return the times at ``places`` of the grid that begins at ``first``: what :meth:`places` undoes."""
        start, units = np.asarray(first), places * self.count
        if self.unit == STEP:
            return np.asarray(start.astype(np.int64) + units)
        start = start.astype("datetime64[us]")
        if self.unit == BUSINESS_DAY:
            day = start.astype("datetime64[D]")
            return np.asarray(np.busday_offset(day, units).astype("datetime64[us]") + (start - day))
        if self.unit == MONTH:
            return _months_after(start, units)
        return np.asarray(start + (units * FIXED[self.unit]).astype("timedelta64[us]"))


def inferred(times: Times) -> Frequency | None:
    """Return the frequency of times: that of the most frequent distance, so that gaps do not matter.

    Args:
        times: at least two, ascending, each once; ``None`` comes back where there are fewer.
    """
    if len(times) < 2:
        return None
    distance = _most_frequent(np.diff(times).astype(np.int64))
    if times.dtype.kind != "M":
        return Frequency(distance, STEP)
    days = times.astype("datetime64[D]")
    if distance >= 28 * FIXED["D"]:
        months = np.diff(times.astype("datetime64[M]")).astype(np.int64)
        monthly = Frequency(max(1, _most_frequent(months)), MONTH)
        if monthly.places(times, monthly.origin(times))[1].all():
            return monthly
    is_long = days[-1] - days[0] > np.timedelta64(7, "D")
    if distance == FIXED["D"] and is_long and bool(np.is_busday(days).all()):
        return Frequency(1, BUSINESS_DAY)
    unit = next(
        name for name in ("W", "D", "h", "min", "s", "ms", "") if not name or not distance % FIXED[name]
    )
    return Frequency(distance // FIXED[unit], unit) if unit else None


def told(time: Any, in_utc: bool = False) -> str:
    """Return a time as a person writes it, without parts that are zero; perhaps with the zone that it is of.

    >>> told(np.datetime64("2016-07-01T05:00:00.000000")), told(np.datetime64("2016-07-01T00:00", "us"))
    ('2016-07-01 05:00', '2016-07-01')
    """
    if not isinstance(time, np.datetime64):
        return str(int(time))
    text = str(time.astype("datetime64[us]")).replace("T", " ")
    for ending in (".000000", ":00", " 00:00"):
        text = text.removesuffix(ending)
    return f"{text} UTC" if in_utc else text


def _most_frequent(distances: npt.NDArray[np.int64]) -> int:
    """Return the most frequent number, the smaller one where two are equally frequent."""
    counts = Counter(distances.tolist())
    return int(min(counts, key=lambda distance: (-counts[distance], distance)))


def _in_month(times: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return how far into its month each time is."""
    return np.asarray(times - times.astype("datetime64[M]").astype(times.dtype))


def _to_month_s_end(times: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return how far each time is from the next month; equal for last days."""
    following = times.astype("datetime64[M]") + np.timedelta64(1, "M")
    return np.asarray(following.astype(times.dtype) - times)


def _months_after(start: npt.NDArray[Any], months: Places) -> npt.NDArray[Any]:
    """Return the times months after ``start``: the same day, or the last where start is one or days lack."""
    first_days = (start.astype("datetime64[M]") + months).astype("datetime64[us]")
    last_days = (start.astype("datetime64[M]") + months + 1).astype("datetime64[us]")
    day = np.timedelta64(FIXED["D"], "us")
    if _to_month_s_end(start) <= day:
        return np.asarray(last_days - _to_month_s_end(start))
    clock = _in_month(start) % day
    return np.asarray(np.minimum(first_days + _in_month(start), last_days - day + clock))

"""Where in the day, the week and the year a time lies, as numbers that go round."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.frequency import Times
from rnnlab.errors import ConfigError, nearest

ROUNDS = {"minute": 60, "hour": 24, "weekday": 7, "day": 31, "yearday": 366, "month": 12}
"""What can be asked for, and how much makes a round."""


def check_calendar(names: Sequence[str]) -> None:
    """Raise a ConfigError that names the nearest if one is no part of a calendar, or is there twice."""
    for name in names:
        if name not in ROUNDS:
            raise ConfigError(f"batches.calendar: {name!r}. {nearest(name, ROUNDS)}")
        if list(names).count(name) > 1:
            raise ConfigError(f"batches.calendar names {name} more than once.")


def calendar_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that :func:`calendar` makes.

    >>> calendar_columns(["hour"])
    ('hour (sine)', 'hour (cosine)')
    """
    return tuple(f"{name} ({wave})" for name in names for wave in ("sine", "cosine"))


def calendar(times: Times, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return sine and cosine of each part of the calendar, ``(steps, 2 * names)``, between -1 and 1.

    The last minute of an hour, or Sunday, is as near to the first as any two neighbours are.

    Args:
        times: ``(steps,)``.
        names: of :data:`ROUNDS`.

    Raises:
        ConfigError: if times are whole numbers, which no calendar knows.
    """
    if times.dtype.kind != "M":
        raise ConfigError(f"calendar={list(names)}: the times are whole numbers, which have no calendar.")
    angles = [2 * np.pi * _part(times, name) / ROUNDS[name] for name in names]
    waves = [wave for angle in angles for wave in (np.sin(angle), np.cos(angle))]
    return np.column_stack(waves) if waves else np.empty((len(times), 0))


def _part(times: Times, name: str) -> npt.NDArray[np.int64]:
    """Return a part of the calendar, counted from 0; weekdays from Monday."""
    smaller, larger = {
        "minute": ("m", "h"),
        "hour": ("h", "D"),
        "weekday": ("D", ""),
        "day": ("D", "M"),
        "yearday": ("D", "Y"),
        "month": ("M", "Y"),
    }[name]
    units = times.astype(f"datetime64[{smaller}]")
    if name == "weekday":
        return np.asarray((units.astype(np.int64) + 3) % 7)  # 1970 began on a Thursday
    start = times.astype(f"datetime64[{larger}]").astype(units.dtype)
    return np.asarray((units - start).astype(np.int64))

"""Times and numbers as they are written in tables, one at a time."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import numpy as np

WORDS = {"true": 1.0, "false": 0.0, **dict.fromkeys(("", "na", "n/a", "nan", "null", "none"), np.nan)}
"""What stands for a number in any case of letters; NaN where a value is missing."""
COUNTED, WITH_OFFSET = "a whole number", "a time with an offset from UTC"
DAYS = range(1600_00_00, 2200_00_00)
"""Whole numbers that may write days; those beyond count, as seconds and rows do."""
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Clock:
    """Reads times as microseconds since 1970, or as the whole numbers that they are; all the same way."""

    def __init__(self, column: str, form: str | None) -> None:
        self.column, self.form, self.kind = column, form, ""

    @property
    def are_dates(self) -> bool:
        """Whether they are dates, not whole numbers."""
        return self.kind != COUNTED

    @property
    def in_utc(self) -> bool:
        """Whether they had offsets, and were turned into times of UTC."""
        return self.kind == WITH_OFFSET

    def read(self, value: object) -> int:
        """Return a time; one with an offset becomes that of UTC.

        Raises:
            ValueError: if it is none, or of another kind than those before.
        """
        is_plain = isinstance(value, (int, datetime)) and value == value  # NaT equals nothing
        plain: Any = value if is_plain else str(value).strip()
        try:
            time, kind = _moment(plain, self.form)
        except ValueError:
            hint = f" as {self.form}" if self.form else ""
            raise ValueError(
                f"{self.column} is {str(value)[:40]!r}, which does not read{hint} as a time such as "
                "2016-07-01 05:00:00. Set data.corpus.time_format to how times are written, such as %d/%m/%Y."
            ) from None
        if self.kind not in ("", kind):
            raise ValueError(f"{self.column} is {value!s:.40}, {kind}, after rows with {self.kind}.")
        self.kind = kind
        return time


@lru_cache(maxsize=1 << 16, typed=True)  # the series of a table mostly have the same times
def _moment(value: str | int | datetime, form: str | None) -> tuple[int, str]:
    """Return a time and its kind.

    Raises:
        ValueError: if it is none.
    """
    parsed: datetime | int
    if isinstance(value, datetime):
        parsed = value
    elif form is not None:
        parsed = datetime.strptime(str(value), form)
    elif isinstance(value, int):
        parsed = _day_in(value) or value
    elif value.removeprefix("-").isdigit():
        parsed = datetime.strptime(value, "%Y%m%d") if len(value) == 8 else int(value)
    else:
        parsed = datetime.fromisoformat(f"{value[:-1]}+00:00" if value.endswith("Z") else value)
    if not isinstance(parsed, datetime):
        if isinstance(parsed, bool) or abs(parsed) >= 1 << 62:
            raise ValueError
        return parsed, COUNTED
    if parsed.tzinfo is None:
        return (parsed - _EPOCH) // timedelta(microseconds=1), "a time without offset"
    return (parsed - _EPOCH_UTC) // timedelta(microseconds=1), WITH_OFFSET


def _day_in(number: int) -> datetime | None:
    """Return the day that a number writes, as 20160701 does; None where it writes none."""
    if number not in DAYS:
        return None
    try:
        return datetime(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        return None


def series_name(value: object) -> str:
    """Return the name of a series as text; empty where it is missing."""
    is_missing = value is None or type(value).__name__ == "NAType" or value != value
    return "" if is_missing else str(value).strip()


def number_in(value: object, column: str) -> float:
    """Return a number; NaN where it is missing.

    Raises:
        ValueError: if it is no number, or infinite.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        text = "" if type(value).__name__ == "NAType" else str("" if value is None else value).strip().lower()
        if text not in WORDS:
            raise ValueError(f"{column} is {str(value)[:40]!r}, not a number.") from None
        return WORDS[text]
    if isinstance(value, str) and "_" in value:  # Python reads 1_000
        raise ValueError(f"{column} is {value[:40]!r}, not a number.")
    if number in (np.inf, -np.inf):
        raise ValueError(f"{column} is infinite. Leave the value out where it is not known.")
    return number

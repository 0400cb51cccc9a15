import numpy as np
import pytest

from rnnlab.corpora.frequency import Frequency, inferred, told
from rnnlab.errors import ConfigError

REGULAR = ("1ms", "s", "15min", "h", "6h", "D", "B", "W", "M", "3M", "12M")


@pytest.mark.parametrize("name", REGULAR)
@pytest.mark.parametrize("first", ["2016-01-29T05:30", "2016-02-29T00:00", "2015-12-31T23:00"])
def test_places_undo_times_and_inference_finds_the_frequency(name: str, first: str) -> None:
    frequency, start, steps = Frequency.named(name), np.datetime64(first, "us"), np.arange(30)
    times = frequency.times(start, steps)
    assert times.dtype == "datetime64[us]"
    places, fits = frequency.places(times, start)
    assert fits.all()
    assert np.array_equal(places, steps)
    assert inferred(times) == frequency
    assert inferred(np.delete(times, [3, 4, 11])) == frequency  # gaps do not matter


def test_months_keep_their_day_or_are_all_last_days() -> None:
    month = Frequency(1, "M")
    ends = month.times(np.datetime64("2016-01-31", "us"), np.arange(4))
    assert [told(time) for time in ends] == ["2016-01-31", "2016-02-29", "2016-03-31", "2016-04-30"]
    starts = month.times(np.datetime64("2016-01-01", "us"), np.arange(3))
    assert [told(time) for time in starts] == ["2016-01-01", "2016-02-01", "2016-03-01"]


@pytest.mark.parametrize(
    ("name", "first", "day"),
    [("M", "2001-02", 27), ("M", "2001-04", 29), ("M", "2001-02", 29), ("Q", "2001-06", 29)],
)
def test_a_short_first_month_s_last_day_is_a_day_if_other_months_say_so(
    name: str, first: str, day: int
) -> None:
    frequency = Frequency.named(name)
    months = np.datetime64(first) + np.arange(14) * frequency.count
    lasts = (months + 1).astype("datetime64[D]") - 1
    days = np.minimum(months.astype("datetime64[D]") + day, lasts).astype("datetime64[us]")
    assert inferred(days[:12]) == frequency
    places, fits = frequency.places(days, frequency.origin(days))
    assert fits.all()
    assert np.array_equal(places - places[0], np.arange(14))
    assert np.array_equal(frequency.grid(days[:12], 14), days)


def test_a_month_s_other_day_is_off_the_grid() -> None:
    days = np.array(["2001-02-28", "2001-03-28", "2001-04-30"], "datetime64[us]")
    month = Frequency(1, "M")
    assert month.places(days, month.origin(days))[1].tolist() == [True, True, False]


def test_what_is_off_the_grid_is_told() -> None:
    times = np.array(["2016-01-01", "2016-01-02", "2016-01-02T12:00", "2016-01-04"], "datetime64[us]")
    places, fits = Frequency(1, "D").places(times, times[0])
    assert places.tolist() == [0, 1, 1, 3]
    assert fits.tolist() == [True, True, False, True]
    saturday = np.array(["2016-01-01", "2016-01-02", "2016-01-04"], "datetime64[us]")
    assert Frequency(1, "B").places(saturday, saturday[0])[1].tolist() == [True, False, True]


def test_whole_numbers_are_times_too() -> None:
    assert inferred(np.array([5, 8, 11, 17])) == Frequency(3, "step")
    assert Frequency(3, "step").times(5, np.array([0, 4])).tolist() == [5, 17]
    assert inferred(np.array([5])) is None


@pytest.mark.parametrize(
    ("name", "season"),
    [("h", 24), ("15min", 96), ("D", 7), ("B", 5), ("M", 12), ("QS", 4), ("Y", 1), ("7h", 1)],
)
def test_a_season_is_a_day_a_week_or_a_year(name: str, season: int) -> None:
    assert Frequency.named(name).season == season


@pytest.mark.parametrize("name", ["", "hour", "0h", "1.5h", "-1h", "15", "min15"])
def test_what_is_no_frequency_is_refused(name: str) -> None:
    if name == "15":
        assert Frequency.named(name) == Frequency(15, "step")
        return
    with pytest.raises(ConfigError, match=r"data\.corpus\.frequency=.*expected a count and a unit"):
        Frequency.named(name)

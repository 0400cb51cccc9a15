"""Calendars, scaling and windows against slow loops and the numbers themselves."""

import numpy as np
import pytest

from rnnlab.corpora.series import Borders, Series
from rnnlab.errors import ConfigError, DataError
from rnnlab.signals.calendar import calendar, calendar_columns, check_calendar
from rnnlab.signals.scaling import fitted
from rnnlab.signals.windows import carried_on, offsets_of, windows_of


def series_of(length: int, name: str = "s") -> Series:
    times = np.datetime64("2020-01-01", "us") + np.arange(length) * np.timedelta64(1, "h")
    return Series(name, times, np.arange(float(length))[:, None], np.empty(0), length)


def test_the_calendar_goes_round() -> None:
    times = np.array(["2020-01-05T23:59", "2020-01-06T00:00", "2020-12-31T12:30"], "datetime64[us]")
    names = ["minute", "hour", "weekday", "day", "yearday", "month"]
    made = calendar(times, names)
    assert made.shape == (3, len(calendar_columns(names)))
    parts = [[59, 23, 6, 4, 4, 0], [0, 0, 0, 5, 5, 0], [30, 12, 3, 30, 365, 11]]
    rounds = np.array([60, 24, 7, 31, 366, 12])
    assert made[:, ::2] == pytest.approx(np.sin(2 * np.pi * np.array(parts) / rounds))
    assert made[:, 1::2] == pytest.approx(np.cos(2 * np.pi * np.array(parts) / rounds))
    assert calendar(times, []).shape == (3, 0)
    with pytest.raises(ConfigError, match="whole numbers, which have no calendar"):
        calendar(np.arange(3), ["hour"])
    with pytest.raises(ConfigError, match=r"batches\.calendar: 'hours'\. Did you mean hour\?"):
        check_calendar(["hours"])
    with pytest.raises(ConfigError, match=r"names hour more than once"):
        check_calendar(["hour", "hour"])


def test_scaling_is_that_of_the_known_training_values() -> None:
    chance = np.random.default_rng(1)
    one, two = chance.normal(3, 2, (50, 3)), chance.normal(-1, 7, (30, 3))
    one[4, 0] = one[:9, 2] = np.nan
    scaling = fitted("standard", [one, two], [False, False, True])
    both = np.concatenate((one, two))
    assert scaling.location[0, :2] == pytest.approx(np.nanmean(one[:, :2], axis=0))
    assert scaling.scale[1, :2] == pytest.approx(two[:, :2].std(axis=0))
    assert scaling.location[:, 2] == pytest.approx(np.nanmean(both[:, 2]))
    assert scaling.scale[:, 2] == pytest.approx(np.nanstd(both[:, 2]))
    assert np.nanmean(scaling.scaled(one, 0)[:, 0]) == pytest.approx(0, abs=1e-12)
    sizes = fitted("mean", [one, two], [False, False, False])
    assert sizes.scale[0, 0] == pytest.approx(np.nanmean(np.abs(one[:, 0])))
    assert (sizes.location == 0).all()
    assert (fitted("none", [one], [False] * 3).scale == 1).all()
    with pytest.raises(ConfigError, match=r"batches\.scaling=stand\. Did you mean standard\?"):
        fitted("stand", [one], [False] * 3)


def test_a_constant_column_is_told_and_not_divided_by_zero() -> None:
    constant = np.column_stack((np.full(20, 0.1), np.zeros(20), np.arange(20.0)))
    for kind in ("standard", "mean"):
        scaling = fitted(kind, [constant, constant + np.eye(3)[2]], [False, False, True])
        assert scaling.constant[0].tolist() == [True, True, False]
        assert np.isfinite(scaling.scaled(constant, 0)).all()
        assert np.abs(scaling.scaled(constant, 0)[:, 0]).max() <= 1
    alike = fitted("standard", [np.full((3, 1), 0.1), np.full((7, 1), 0.1)], [True])
    assert alike.constant.all()
    assert (alike.scale == 1).all()
    apart = fitted("standard", [np.zeros((5, 1)), np.ones((5, 1))], [True])
    assert not apart.constant.any()  # each is constant, together they are not
    assert apart.scale == pytest.approx(0.5)


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_windows_are_those_of_a_slow_loop(split: str, stride: int) -> None:
    series = [series_of(40), series_of(31), series_of(57)]
    borders = [Borders(20, 28, 40), Borders(12, 20, 30), Borders(40, 48, 57)]
    look_back, horizon = 7, 5
    expected = []
    for number, border in enumerate(borders):
        begin, end = border.of(split)
        taken = [origin for origin in range(begin, end) if origin >= look_back and origin + horizon <= end]
        expected += [(number, origin) for origin in taken[::stride]]
    windows = windows_of(series, borders, split, look_back, horizon, stride)
    assert len(windows) == len(expected)
    found = windows.places(np.arange(len(windows)))
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected
    table = np.concatenate([its.values[:, 0] + 1000 * n for n, its in enumerate(series)])
    for (number, origin), row in zip(expected, table[windows.rows(*found, look_back, horizon)], strict=True):
        steps = np.arange(origin - look_back, origin + horizon)
        assert row.tolist() == (1000 * number + steps).tolist()
        begin, end = borders[number].of(split)
        assert begin <= steps[look_back]
        assert steps[-1] < end


def test_the_field_s_count_of_windows() -> None:
    ett = [series_of(17420)]
    counts = [len(windows_of(ett, [Borders(8640, 11520, 14400)], split, 96, 96)) for split in Borders._fields]
    assert counts == [8449, 2785, 2785]


def test_offsets_follow_rows_not_lengths() -> None:
    ahead = Series("", np.arange(12), np.zeros((12, 1)), np.empty(0), 9)
    assert offsets_of([ahead, series_of(5), ahead]).tolist() == [0, 12, 17]


@pytest.mark.parametrize(
    ("split", "border", "message"),
    [
        (
            "train",
            Borders(9, 20, 40),
            r"series 's' \(40 steps\): its train split has 9 steps, too few for a look-b",
        ),
        ("test", Borders(20, 38, 40), r"its test split has 2 steps, less than the horizon of 4"),
        ("validation", Borders(2, 7, 40), r"2 steps lie before .*too few for a look-back of 6"),
    ],
)
def test_a_series_that_is_too_short_is_named(split: str, border: Borders, message: str) -> None:
    with pytest.raises(DataError, match=message):
        windows_of([series_of(40)], [border], split, 6, 4)


@pytest.mark.parametrize("key", ["look_back", "horizon", "stride"])
def test_a_window_has_steps(key: str) -> None:
    sizes = {"look_back": 3, "horizon": 2, "stride": 1, key: 0}
    with pytest.raises(ConfigError, match=rf"data\.{key}=0: expected a whole number from 1"):
        windows_of([series_of(40)], [Borders(20, 30, 40)], "train", **sizes)


def test_missing_values_are_carried_on_from_the_past_alone() -> None:
    nan = np.nan
    window = np.array([[[nan, 1], [2, nan], [nan, nan], [5, 4]]], dtype=np.float32)
    filled, known = carried_on(window)
    assert filled[0].tolist() == [[0, 1], [2, 1], [2, 1], [5, 4]]
    assert known[0].tolist() == [[False, True], [True, False], [False, False], [True, True]]
    whole = np.ones((1, 2, 1), dtype=np.float32)
    assert carried_on(whole)[0] is whole

"""Series from files: what is read, how it is split, and what is refused, with its line."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnlab.corpora.ett import ETTHourly
from rnnlab.corpora.frequency import told
from rnnlab.corpora.made_series import MadeSeries
from rnnlab.corpora.records import records_of_frame
from rnnlab.corpora.series import Columns, Reading, Series, SeriesCorpus, borders_of
from rnnlab.corpora.series_rows import read_series
from rnnlab.corpora.series_table import SeriesTable
from rnnlab.errors import ConfigError, DataError

DAILY = "time,y\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n2020-01-04,4\n"
SHOPS = (
    "shop,day,sold,price,promo,size\n"
    "a,2020-01-01,1,9,0,5\nb,2020-01-03,7,8,1,6\na,2020-01-02,,9,1,5\na,2020-01-03,3,9.5,0,5\n"
    "b,2020-01-04,8,,0,6\nb,2020-01-05,,,1,6\nb,2020-01-06,,,true,6\n"
)
SHOP_KEYS = {
    **{"time": "day", "id": "shop", "targets": "sold", "past": "price", "future": ["promo"]},
    **{"static": ["size"], "validation": 1, "test": 1},
}


def table(tmp_path: Path, content: str, name: str = "x.csv", **keys: Any) -> SeriesTable:
    (tmp_path / name).write_text(content)
    return SeriesTable(str(tmp_path / name), **keys)


def test_one_series_with_all_other_columns_as_targets(tmp_path: Path) -> None:
    corpus = table(tmp_path, "time,y,z\n2020-01-01,1,2\n2020-01-02,NA,4\n2020-01-03,5,6.5\n")
    (series,) = corpus.series
    assert isinstance(corpus, SeriesCorpus)
    assert corpus.columns == Columns(("y", "z"))
    assert str(corpus.frequency) == "D"
    assert series.name == ""
    assert series.length == 3
    assert np.array_equal(series.values, [[1, 2], [np.nan, 4], [5, 6.5]], equal_nan=True)
    assert [told(time) for time in series.times] == ["2020-01-01", "2020-01-02", "2020-01-03"]


def test_several_series_with_covariates_and_what_is_known_ahead(tmp_path: Path) -> None:
    corpus = table(tmp_path, SHOPS, **SHOP_KEYS)
    first, second = corpus.series
    assert corpus.columns == Columns(("sold",), ("price",), ("promo",), ("size",))
    assert (first.name, second.name) == ("a", "b")
    assert np.array_equal(first.values, [[1, 9, 0], [np.nan, 9, 1], [3, 9.5, 0]], equal_nan=True)
    assert first.static.tolist() == [5]
    assert first.length == 3
    assert second.length == 2  # two more days say what the promotion will be
    assert second.values[:, 2].tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "parquet", "frame"])
def test_every_format_holds_the_same_series(tmp_path: Path, kind: str) -> None:
    expected = table(tmp_path, SHOPS, **SHOP_KEYS).series
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(tmp_path / "x.csv", true_values=["true"])
    frame["promo"] = frame["promo"].astype(str).str.lower().isin(["1", "true"])
    frame["day"] = pandas.to_datetime(frame["day"])
    columns, reading = Columns(("sold",), ("price",), ("promo",), ("size",)), Reading("day", id="shop")
    if kind == "frame":
        found, _ = read_series([records_of_frame(frame)], columns, reading)
    else:
        path = tmp_path / f"y.{kind}"
        if kind == "tsv":
            frame.to_csv(path, sep="\t", index=False)
        elif kind == "jsonl":
            frame["day"] = frame["day"].dt.strftime("%Y-%m-%dT%H:%M:%S")
            frame.to_json(path, orient="records", lines=True)
        else:
            pytest.importorskip("pyarrow")
            frame.to_parquet(path)
        found = list(SeriesTable(str(path), **SHOP_KEYS).series)
    assert [series.name for series in found] == ["a", "b"]
    for one, two in zip(expected, found, strict=True):
        assert np.array_equal(one.times, two.times)
        assert np.array_equal(one.values, two.values, equal_nan=True)
        assert (one.length, one.static.tolist()) == (two.length, two.static.tolist())


def test_a_frame_s_index_of_times_is_its_column() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"y": [1, None, 3]}, index=pandas.date_range("2020-01-01", periods=3, name="ds"))
    (series,), frequency = read_series([records_of_frame(frame)], Columns(("y",)), Reading("ds"))
    assert str(frequency) == "D"
    assert np.array_equal(series.values[:, 0], [1, np.nan, 3], equal_nan=True)


def test_a_frame_s_missing_values_are_missing() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"time": ["2020-01-01", "2020-01-02"], "y": pandas.array([3, None], dtype="Int64")}
    )
    (series,), _ = read_series([records_of_frame(frame)], Columns(("y",)), Reading("time"))
    assert np.array_equal(series.values[:, 0], [3, np.nan], equal_nan=True)
    frame["time"] = pandas.to_datetime(["2020-01-01", None])
    with pytest.raises(DataError, match="the frame, row 2: time is 'NaT', which does not read as a time"):
        read_series([records_of_frame(frame)], Columns(("y",)), Reading("time"))


def test_several_files_are_several_series(tmp_path: Path) -> None:
    for name in ("north", "south"):
        (tmp_path / f"{name}.csv").write_text(DAILY)
    corpus = SeriesTable(str(tmp_path / "*.csv"))
    assert [series.name for series in corpus.series] == ["north", "south"]


def test_rows_are_sorted_and_that_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shuffled = "time,y\n2020-01-02,2\n2020-01-01,1\n2020-01-03,3\n"
    with caplog.at_level(logging.WARNING):
        (series,) = table(tmp_path, shuffled).series
    assert series.values[:, 0].tolist() == [1, 2, 3]
    assert "x.csv, line 3: not in the order of time" in caplog.text


@pytest.mark.parametrize(("gaps", "expected"), [("mask", [1, np.nan, np.nan, 4]), ("last", [1, 1, 1, 4])])
def test_gaps_are_filled_only_when_asked(tmp_path: Path, gaps: str, expected: list[float]) -> None:
    holed = "time,y\n2020-01-01,1\n2020-01-04,4\n"
    with pytest.raises(
        DataError,
        match=r"x\.csv, line 3: 2020-01-04 follows 2020-01-01, but steps are D apart "
        r"\(1 gaps, 2 steps missing\)",
    ):
        _ = table(tmp_path, holed, frequency="D").series
    (series,) = table(tmp_path, holed, frequency="D", gaps=gaps).series
    assert np.array_equal(series.values[:, 0], expected, equal_nan=True)


@pytest.mark.parametrize(
    ("times", "form"),
    [
        (("31/12/2019", "01/01/2020"), "%d/%m/%Y"),
        (("20191231", "20200101"), None),
        (("2019-12-31T00:00:00Z", "2020-01-01T00:00:00Z"), None),
        (("2019-12-31T01:00:00+01:00", "2020-01-01T02:00:00+02:00"), None),
    ],
)
def test_times_are_read_as_they_are_written(tmp_path: Path, times: tuple[str, str], form: str | None) -> None:
    content = f"time,y\n{times[0]},1\n{times[1]},2\n"
    (series,) = table(tmp_path, content, time_format=form).series
    assert [told(time) for time in series.times] == ["2019-12-31", "2020-01-01"]


def test_days_and_counters_are_whole_numbers_of_json(tmp_path: Path) -> None:
    for first, second, unit in ((20240131, 20240201, "D"), (9999999, 10000000, "step"), (5, 6, "step")):
        lines = (json.dumps({"time": time, "y": 1}) for time in (first, second))
        corpus = table(tmp_path, "\n".join(lines), "x.jsonl")
        assert str(corpus.frequency) == unit
    with pytest.raises(DataError, match=r"line 2: time is 20241301, a whole number, after rows with a time"):
        _ = table(tmp_path, '{"time": 20240131, "y": 1}\n{"time": 20241301, "y": 1}', "x.jsonl").series


def test_times_can_be_counted(tmp_path: Path) -> None:
    corpus = table(tmp_path, "time,y\n3,1\n5,2\n7,3\n9,4\n")
    assert str(corpus.frequency) == "2step"
    assert corpus.series[0].times.tolist() == [3, 5, 7, 9]


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        ("time,y\n2020-01-01,1\nsoon,2\n", {}, r"line 3: time is 'soon', which does not read as a time"),
        ("time,y\n2020-01-01,1\n,2\n", {}, r"line 3: time is '', which does not read as a time"),
        ("time,y\n2020-01-01,1\n2020-01-02,much\n", {}, r"line 3: y is 'much', not a number"),
        ("time,y\n2020-01-01,1\n2020-01-02,1_0\n", {}, r"line 3: y is '1_0', not a number"),
        (
            "time,y\n2020-01-01,1\n" + "9" * 30 + ",2\n",
            {},
            r"line 3: time is '9+', which does not read as a time",
        ),
        ("time,y\n2020-01-01,1\n2020-01-02,-inf\n", {}, r"line 3: y is infinite"),
        (
            "time,y\n2020-01-01,1\n2020-01-01,2\n",
            {},
            r"line 3: 2020-01-01 comes twice, also in .*x\.csv, line 2",
        ),
        (
            "time,y\n2020-01-01,1\n2020-01-02\n",
            {},
            r"line 3: 1 fields, but line 1 names 2 columns \(time, y\)",
        ),
        ("time,y\n2020-01-01,1\n7,2\n", {}, r"line 3: time is 7, a whole number, after rows with a time"),
        (
            "time,y\n2020-01-01,1\n2020-01-02T00:00+01:00,2\n",
            {},
            r"line 3: time is 2020-01-02T00:00\+01:00, a time with an offset from UTC, after rows with",
        ),
        (
            "time,y\n2024-03-30T00:00+01:00,1\n2024-03-31T00:00+01:00,2\n2024-04-01T00:00+02:00,3\n",
            {"frequency": "D"},
            r"line 4: 2024-03-31 22:00 UTC is no whole number of steps of D from 2024-03-29 23:00 UTC\. "
            r".*: write such days without an offset\.$",
        ),
        ("time,y\n2020-01-01,1\n", {}, r"line 2: a single time tells no frequency"),
        ("time,y\n1,1\n2,1\n", {"frequency": "D"}, r"line 2: D does not fit its times"),
        (DAILY, {"frequency": "W"}, r"line 3: 2020-01-02 is no whole number of steps of W from 2020-01-01"),
        (DAILY, {"time": "tme"}, r"no column 'tme'\. Did you mean time\? Set data\.corpus\.time"),
        (DAILY, {"targets": "x"}, r"no column 'x'.*Set data\.corpus\.targets"),
        (DAILY.replace(",", ";"), {}, r"no column 'time'\. Its columns seem to be separated by semicolons"),
        ("time,y,y\n2020-01-01,1,1\n", {"targets": "y"}, r"2 columns are named y"),
        ("time,y\n2020-01-01,\n2020-01-02,\n", {}, r"line 2: no value of y"),
        ("time,y\n", {}, r"x\.csv has no rows"),
        ("", {}, r"x\.csv is empty"),
        ("time,y,i\n2020-01-01,1,\n", {"id": "i"}, r"line 2: i is empty, so that its series is not known"),
        (
            "time,y,f\n2020-01-01,1,0\n2020-01-02,1,\n",
            {"future": "f"},
            r"line 3: f is missing at 2020-01-02, but data\.corpus\.future names it as known ahead",
        ),
        (
            "time,y,s\n2020-01-01,1,0\n2020-01-02,1,2\n",
            {"static": "s"},
            r"line 3: the static s is 0 and 2\. It must be known, and the same in all rows",
        ),
    ],
)
def test_bad_input_is_refused_with_its_line(
    tmp_path: Path, content: str, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _ = table(tmp_path, content, **keys).series


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gaps": "fil"}, r"data\.corpus\.gaps=fil\."),
        ({"validation": 0}, r"data\.corpus\.validation=0: expected a share"),
        ({"test": 1.5}, r"data\.corpus\.test=1\.5: expected a share"),
        ({"test": "tomorrow"}, r"data\.corpus\.test=tomorrow: expected a share"),
        ({"fold": -1}, r"data\.corpus\.fold=-1: expected"),
        ({"format": "xls"}, r"data\.corpus\.format=xls"),
        (
            {"targets": ["y"], "past": ["y"]},
            r"column 'y' is named in data\.corpus\.targets and in data\.corpus\.past",
        ),
    ],
)
def test_bad_keys_are_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        table(tmp_path, DAILY, **keys)


def test_jsonl_is_refused_with_its_line(tmp_path: Path) -> None:
    first = json.dumps({"time": "2020-01-01", "y": 1})
    for wrong, message in {
        "[1]": "not a JSON object",
        "{": "not a line of JSON",
        '{"time": true, "y": 1}': "time is 'True', which does not read as a time",
        '{"time": ["2020-01-02"], "y": 1}': "time is .* does not read as a time",
        '{"time": "2020-01-02", "y": [1]}': r"y is '\[1\]', not a number",
        '{"time": "2020-01-02", "y": 1%s}' % ("0" * 400): "y is '10+', not a number",
        '{"time": "2020-01-02", "y": Infinity}': "y is infinite",
        '{"time": "2020-01-02", "y": 1%s}' % ("0" * 5000): "not a line of JSON",
    }.items():
        with pytest.raises(DataError, match=rf"x\.jsonl, line 2: {message}"):
            _ = table(tmp_path, f"{first}\n{wrong}\n", "x.jsonl").series


def test_jsonl_s_columns_are_those_of_all_lines(tmp_path: Path) -> None:
    days = [{"time": "2020-01-01", "y": 1}, {"time": "2020-01-02", "y": 2, "z": 3}]
    corpus = table(tmp_path, "\n".join(map(json.dumps, days)), "x.jsonl")
    assert corpus.columns.targets == ("y", "z")
    assert np.array_equal(corpus.series[0].values, [[1, np.nan], [2, 3]], equal_nan=True)


def hundred(name: str = "", first: str = "2020-01-01") -> Series:
    times = np.datetime64(first, "us") + np.arange(100) * np.timedelta64(1, "D")
    return Series(name, times, np.arange(100.0)[:, None], np.empty(0), 100)


def test_splits_by_share_number_and_time() -> None:
    assert borders_of(hundred(), 0.1, 0.2) == (70, 80, 100)
    assert borders_of(hundred(), 20, 30) == (50, 70, 100)
    assert borders_of(hundred(), "2020-02-01", "2020-03-01") == (31, 60, 100)
    assert borders_of(hundred(), 0.1, "2020-03-01") == (50, 60, 100)
    assert borders_of(hundred(), "2020-02-01", 20) == (31, 80, 100)
    assert borders_of(hundred(), 20, 20).of("test") == (80, 100)


def test_folds_move_the_origin_back() -> None:
    folds = [borders_of(hundred(), 10, 20, fold) for fold in range(3)]
    assert folds == [(70, 80, 100), (50, 60, 80), (30, 40, 60)]
    with pytest.raises(
        DataError, match=r"series 'n' has 100 steps, 2020-01-01 to 2020-04-09: too few for .*fold=4"
    ):
        borders_of(hundred("n"), 10, 20, fold=4)
    with pytest.raises(ConfigError, match=r"fold=1 goes with a share or a number"):
        borders_of(hundred(), 10, "2020-03-01", fold=1)


def test_the_fingerprint_follows_content_and_settings(tmp_path: Path) -> None:
    prints = {table(tmp_path, DAILY).fingerprint, table(tmp_path, DAILY).fingerprint}
    assert len(prints) == 1
    prints.add(table(tmp_path, DAILY, test=0.3).fingerprint)
    prints.add(table(tmp_path, DAILY, frequency="D").fingerprint)
    prints.add(table(tmp_path, DAILY.replace("4\n", "5\n")).fingerprint)
    assert len(prints) == 4


def test_made_series_follow_from_their_seed() -> None:
    one, two, other = (MadeSeries(towns=2, steps=300, seed=seed) for seed in (1, 1, 2))
    for a, b, c in zip(one.series, two.series, other.series, strict=True):
        assert np.array_equal(a.values, b.values)
        assert not np.array_equal(a.values, c.values)
        assert (a.values[:, 0] > 0).all()
    assert one.fingerprint == two.fingerprint != other.fingerprint
    assert one.borders(one.series[0]) == (210, 240, 300)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the form of the published one."""
    monkeypatch.setenv("RNNLAB_DATA_DIR", str(tmp_path))
    times = np.datetime64("2016-07-01", "s") + np.arange(17420) * np.timedelta64(1, "h")
    rows = (f"{str(time).replace('T', ' ')},{n},1,2,3,4,5,{-n}" for n, time in enumerate(times))
    text = "date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n" + "\n".join(rows) + "\n"
    (tmp_path / "ETTh1.csv.gz").write_bytes(gzip.compress(text.encode(), 1))
    return tmp_path / "ETTh1.csv.gz"


def test_ett_has_the_field_s_split(published: Path) -> None:
    corpus = ETTHourly()
    (series,) = corpus.series
    assert corpus.borders(series) == (8640, 11520, 14400)
    assert series.values.shape == (17420, 7)
    oil = ETTHourly(targets="OT")
    assert oil.columns.targets == ("OT",)
    assert len(oil.columns.past) == 6
    assert oil.series[0].values[7, 0] == -7
    assert oil.fingerprint != corpus.fingerprint


def test_ett_is_refused_where_it_is_not_the_published_file(published: Path) -> None:
    whole = gzip.decompress(published.read_bytes())
    published.write_bytes(gzip.compress(whole[:-40], 1))
    with pytest.raises(DataError, match=r"line 17421 is not of the published file"):
        _ = ETTHourly().series
    published.write_bytes(published.read_bytes()[:1000])
    with pytest.raises(DataError, match="cut short or damaged"):
        _ = ETTHourly().series
    with pytest.raises(ConfigError, match=r"no column 'OIL'"):
        ETTHourly(targets=["OIL"])


@pytest.mark.network
def test_ett_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNLAB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(tmp_path / "cache"))
    assert ETTHourly("ETTh2").series[0].length == 17420

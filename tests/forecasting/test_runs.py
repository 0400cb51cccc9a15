"""Forecasts through the front door: trained, gone on with, swept, backtested, asked, explained, refused."""

import copy
import csv
import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnlab
from rnnlab.benchmarks.child_process import PeakMemory
from rnnlab.errors import ConfigError, DataError, RnnlabError, RunError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.training.fit import fit, prepare
from rnnlab.training.resume import put, resumed_config
from rnnlab.training.run_folder import RunFolder
from tests.runs.conftest import command as command  # the fixture
from tests.runs.conftest import composed_of
from tests.training.same_end import assert_same_end
from tests.training.stopping import stopped_at

pytestmark = pytest.mark.drawn

LOOK_BACK, HORIZON, ROWS, AHEAD = 12, 4, 160, 4
MISSING = (3, 40, 77, 114, 158)  # in training, and in the test's last horizon
SMALL = [
    *("task=forecasting", "data=series", "data.corpus.files=shops.csv", "data.corpus.id=shop"),
    *("data.corpus.targets=[sold]", "data.corpus.future=[offer]", "batches.calendar=[hour]"),
    *(f"data.look_back={LOOK_BACK}", f"data.horizon={HORIZON}", "batches.batch_size=32"),
    *("model.hidden_size=6", "model.backend=torch", "optimizer.lr=0.02", "trainer=cpu"),
    "trainer.max_epochs=2",
]
QUANTILES = ["task.loss=quantile", "callbacks.early_stopping.patience=null"]


def write_shops(file: Path, seed: int = 1, rows: int = ROWS, names: str = "ab") -> None:
    """Hourly sales of shops; offers are known for some hours more."""
    chance = np.random.default_rng(seed)
    with file.open("w", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["shop", "time", "sold", "offer"])
        for shop in names:
            for hour in range(rows + AHEAD):
                offer = hour % 7 == 0
                sold = 50 * (1 + np.sin(2 * np.pi * hour / 24)) + 10 * offer + chance.normal(0, 5)
                time = np.datetime64("2024-01-01T00", "s") + np.timedelta64(hour, "h")
                is_missing = hour >= rows or hour in MISSING
                table.writerow([shop, time, "" if is_missing else round(sold, 3), int(offer)])


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shops")
    write_shops(folder / "shops.csv")
    return folder


@pytest.fixture(scope="module")
def trained(room: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(room)
        patch.setenv("RNNLAB_CACHE_DIR", str(room / "cache"))
        yield room / "run", fit(composed_of([*SMALL, *QUANTILES]), room / "run")


@pytest.fixture(scope="module")
def composed(room: Path) -> dict[str, Any]:
    """The configuration of a run."""
    return composed_of(SMALL)


@pytest.fixture
def run(trained: tuple[Path, dict[str, Any]], room: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run; the working folder is where its data lies."""
    monkeypatch.chdir(room)
    return trained[0]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def shops(file: Path) -> dict[str, np.ndarray[Any, Any]]:
    rows = list(csv.DictReader(file.open()))
    return {
        name: np.array([float(row["sold"] or "nan") for row in rows if row["shop"] == name]) for name in "ab"
    }


def test_it_trains_with_baselines_on_the_same_windows_and_figures(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    run, metrics = trained
    bands = {"wql", "coverage_80", "width_80"}
    names = {"loss", "mse", "mae", "real_mse", "real_mae", "mase", "smape", *bands}
    assert set(metrics["test"]) == names | {f"tracked_{name}" for name in bands}
    assert set(metrics["baselines"]) == {"last value", "linear (NLinear)"}  # a look-back holds no day
    drawn = {file.stem for file in (run / "figures").glob("*.png")}
    assert {"forecasts_test", "error_by_step_validation", "coverage_test", "residuals_test"} <= drawn
    last = metrics["baselines"]["last value"]
    errors = []
    for values in shops(run.parent / "shops.csv").values():
        train, begin = values[: int(ROWS * 0.7)], ROWS - round(ROWS * 0.2)
        for origin in range(begin, ROWS - HORIZON + 1):
            past = values[origin - LOOK_BACK : origin]
            errors += list((values[origin : origin + HORIZON] - past[~np.isnan(past)][-1]) / np.nanstd(train))
    assert last["mse"] == pytest.approx(np.nanmean(np.square(errors)), rel=1e-6)


def test_a_slow_loop_over_all_windows_finds_the_same_error(
    run: Path, trained: tuple[Path, dict[str, Any]], room: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    model, errors = rnnlab.load(run, device="cpu"), []
    whole = pandas.read_csv(room / "shops.csv")
    for name, values in shops(room / "shops.csv").items():
        scale = np.nanstd(values[: int(ROWS * 0.7)])
        for origin in range(ROWS - round(ROWS * 0.2), ROWS - HORIZON + 1):
            frame = whole[whole.shop == name].iloc[: origin + HORIZON].copy()
            frame.loc[frame.index[origin:], "sold"] = np.nan  # the future, of which offers alone are known
            forecast = model.forecast(frame)
            assert list(forecast.time) == list(pandas.to_datetime(frame.time[origin:]))
            errors += list((values[origin : origin + HORIZON] - forecast.sold.to_numpy()) / scale)
    assert len(errors) == 2 * 29 * HORIZON
    assert trained[1]["test"]["mse"] == pytest.approx(np.nanmean(np.square(errors)), abs=1e-6)


def test_a_stopped_run_ends_bit_for_bit_as_a_whole_one(
    room: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(room)
    caplog.set_level("INFO", logger="rnnlab")
    recursive = ["task.decoder=recursive", "task.forcing=0.9", "task.final_forcing=0.1", "logger=none"]
    config = composed_of([*SMALL, *recursive, "baselines=false"])
    fit(config, room / "whole")
    with stopped_at(8, monkeypatch):
        fit(config, room / "stopped")
    folder = RunFolder(room / "stopped")
    fit(resumed_config(config, folder, []), folder.path)
    assert_same_end(room / "stopped", room / "whole")
    told = re.findall(r"Epoch \d+/\d+: train loss \S+", caplog.text)
    assert told[: len(told) // 2] == told[len(told) // 2 :]
    state = read_checkpoint(folder.best)["state_dict"]
    assert state["shifts"].abs().sum() > 0


def test_a_changed_corpus_is_refused_when_a_run_goes_on(
    run: Path, room: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    write_shops(room / "shops.csv", seed=2)
    try:
        assert command("train", f"resume={run}", "trainer.max_epochs=3") == 2
        assert "The corpus has changed since this run: series had the fingerprint" in said(capsys)
    finally:
        write_shops(room / "shops.csv")


def test_a_backtest_gives_the_figures_once_more_or_at_a_stride(
    run: Path, tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("evaluate", f"run={run}") == 0
    told = capsys.readouterr().out
    assert "digit for digit" in told
    assert re.search(r"following known errors .* 80 % .* [-+]\d+\.\d points", told)
    report = tmp_path / "daily.json"
    assert command("evaluate", f"run={run}", "stride=8", f"output={report}") == 0
    assert json.loads(report.read_text())["runs"][0]["documents"] == 2 * 4
    found = json.loads((tmp_path / "daily_curves" / "backtest.json").read_text())["run"]
    assert [row["step"] for row in found["by_step"]] == [1, 2, 3, 4]
    assert [row["series"] for row in found["by_series"]] == ["a", "b"]
    mean = json.loads(report.read_text())["mean"]["mse"]
    assert np.mean([row["mse"] for row in found["by_step"]]) == pytest.approx(mean, rel=0.2)
    assert (tmp_path / "daily_curves" / "forecasts_test.png").is_file()
    assert command("evaluate", f"run={run}", "data=made_series") == 2
    assert "has other columns or another frequency" in said(capsys)


def test_a_table_and_a_frame_are_forecast_alike(
    run: Path, tmp_path: Path, command: Callable[..., int]
) -> None:
    pandas = pytest.importorskip("pandas")
    output = tmp_path / "forecast.csv"
    assert command("predict", f"run={run}", "input=shops.csv", f"output={output}", "horizon=3") == 0
    rows = list(csv.DictReader(output.open()))
    assert list(rows[0]) == ["shop", "time", "sold", "sold_0.1", "sold_0.5", "sold_0.9"]
    assert [row["time"] for row in rows[:3]] == [f"2024-01-07 {16 + step}:00:00" for step in range(3)]
    assert [row["shop"] for row in rows] == ["a"] * 3 + ["b"] * 3
    frame = rnnlab.load(run, device="cpu").forecast(pandas.read_csv("shops.csv"))
    assert len(frame) == 2 * HORIZON
    ours = frame.groupby("shop").head(3)
    for name in ("sold", "sold_0.1", "sold_0.9"):
        assert [float(row[name]) for row in rows] == pytest.approx(ours[name].tolist())
    assert (frame["sold_0.1"] <= frame["sold"]).all()
    assert (frame["sold"] <= frame["sold_0.9"]).all()


def test_times_with_an_offset_come_back_with_one(
    run: Path, tmp_path: Path, command: Callable[..., int]
) -> None:
    pandas = pytest.importorskip("pandas")
    model, frame = rnnlab.load(run, device="cpu"), pandas.read_csv("shops.csv", parse_dates=["time"])
    expected = model.forecast(frame).time.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    local = frame.assign(time=frame.time.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))
    assert str(model.forecast(local).time.dt.tz) == "Europe/Berlin"
    assert list(model.forecast(local).time) == list(expected)
    assert set(expected) < set(model.explain_forecast(local).time)
    written = local.assign(time=local.time.map(lambda time: time.isoformat()))
    assert list(model.forecast(written).time) == list(expected)
    written.to_csv(tmp_path / "local.csv", index=False)
    for explain in ("false", "true"):
        output = tmp_path / f"{explain}.csv"
        words = [f"input={tmp_path / 'local.csv'}", f"output={output}", f"explain={explain}"]
        assert command("predict", f"run={run}", *words) == 0
        assert list(csv.DictReader(output.open()))[-1]["time"] == "2024-01-07 19:00:00+00:00"


@pytest.mark.parametrize("kind", ["int64", "float64"])
@pytest.mark.parametrize("trained_on", [("1", "2"), ("1.0", "2.0")])
def test_series_named_by_numbers_are_known_and_come_back_as_such(
    run: Path, kind: str, trained_on: tuple[str, str]
) -> None:
    pandas = pytest.importorskip("pandas")
    model, frame = rnnlab.load(run, device="cpu"), pandas.read_csv("shops.csv")
    expected = model.forecast(frame)
    model.features = dataclasses.replace(model.features, names=trained_on)
    numbered = frame.assign(shop=frame.shop.map({"a": 1, "b": 2}).astype(kind))
    found = model.forecast(numbered)
    assert found.sold.tolist() == expected.sold.tolist()
    assert found.shop.dtype == kind
    assert model.explain_forecast(numbered).shop.dtype == kind
    with pytest.raises(DataError, match="row 1: shop is empty"):
        model.forecast(numbered.assign(shop=float("nan")))


@pytest.mark.parametrize("horizon", [2.0, "2", True, 0])
def test_a_horizon_is_a_whole_number(run: Path, horizon: Any) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ConfigError, match=f"horizon={horizon!r}: expected a whole number from 1"):
        rnnlab.load(run, device="cpu").forecast(pandas.read_csv("shops.csv"), horizon)


def test_names_of_series_are_no_formulas_where_that_is_asked(
    run: Path, tmp_path: Path, command: Callable[..., int]
) -> None:
    table = tmp_path / "formulas.csv"
    write_shops(table, names="=")
    for answer in ("explain=true", "explain=false"):
        for safe in (True, False):
            output = tmp_path / f"{answer}_{safe}.csv"
            words = [f"input={table}", f"output={output}", answer, f"safe_cells={str(safe).lower()}"]
            assert command("predict", f"run={run}", *words) == 0
            assert {row["shop"] for row in csv.DictReader(output.open())} == {"'=" if safe else "="}


def test_bands_follow_the_errors_of_a_table_s_own_past(run: Path) -> None:
    pandas = pytest.importorskip("pandas")
    whole = pandas.read_csv("shops.csv")
    plain, tracked = (
        rnnlab.load(run, device="cpu", task={"tracked": asked}).forecast(whole) for asked in (False, True)
    )
    assert (plain["sold"] == tracked["sold"]).all()
    assert (plain["sold_0.9"] != tracked["sold_0.9"]).mean() > 0.5
    short = whole.groupby("shop").tail(LOOK_BACK + AHEAD)  # no forecast of the past can be made from it
    same = rnnlab.load(run, device="cpu", task={"tracked": True}).forecast(short)
    assert same["sold_0.9"].tolist() == pytest.approx(plain["sold_0.9"].tolist(), rel=1e-5)


def test_an_explanation_adds_up(run: Path, tmp_path: Path, command: Callable[..., int]) -> None:
    output = tmp_path / "shares.csv"
    assert command("predict", f"run={run}", "input=shops.csv", f"output={output}", "explain=true") == 0
    rows = [row for row in csv.DictReader(output.open()) if row["shop"] == "a"]
    model = rnnlab.load(run, device="cpu")
    asked = model.asked(model.table_of(Path("shops.csv")))
    batch = asked.tables.batch(asked.windows, np.array([0]))
    with torch.no_grad():
        both = [model.task(batch.inputs * share, batch.ahead * share) for share in (1, 0)]
    here, nothing = (float(model.task.network.loss.point(part)[0, :, 0].mean()) for part in both)
    expected = (here - nothing) * float(batch.units[0, 1, 0])
    assert sum(float(row["share"]) for row in rows) == pytest.approx(expected, rel=0.03, abs=0.05)
    assert {"sold", "offer", "hour (sine)", "sold is known"} <= {row["column"] for row in rows}
    assert len(rows) == LOOK_BACK * 5 + HORIZON * 3


def test_what_is_asked_wrongly_is_told(
    run: Path, room: Path, tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (room / "shops.csv").read_text().splitlines()
    short, plain = tmp_path / "short.csv", tmp_path / "plain.csv"
    short.write_text("\n".join(lines[:6]))
    plain.write_text("\n".join(lines[:ROWS]))
    output = f"output={tmp_path / 'out.csv'}"
    for words, reason in (
        (("predict", f"input={short}", output), "series 'a' has 5 steps with a known target, and the model"),
        (("predict", f"input={plain}", output), "series 'a': offer is not known at 2024-01-07 15:00"),
        (("predict", "input=shops.csv", output, "horizon=0"), "horizon=0: expected a whole number from 1"),
        (("predict", "input=shops.csv", output, "horizon=9"), "the model forecasts 4 steps"),
        (("predict", "input=shops.csv", output, "explain=true", "label=gold"), "Did you mean sold?"),
        (("predict", "input=shops.csv", output, "explain=true", "horizon=9"), "horizon=… is for a forecast"),
        (("predict", "text=a"), "can't tell classes: take one of task=sentiment. This one forecasts"),
        (("generate", "prompt=a"), "task=forecasting, which can't write"),
        (("evaluate", "labels=a,b"), "task=forecasting tells no classes"),
        (("evaluate", "data=made_series", "data.look_back=3"), "data.look_back is the model's"),
        (("evaluate", "data=made_series", "data.horizon=2"), "data.horizon is the model's"),
        (("export", "format=torchscript"), "task=forecasting has no such export"),
    ):
        script, *more = words
        assert command(script, f"run={run}", *more) == 2, words
        assert reason in said(capsys), words
    assert not (tmp_path / "out.csv").exists()


TEN = {"_target_": "rnnlab.corpora.made_series.MadeSeries", "towns": 10, "steps": 1000}
COUNTS = {"task.loss": "negative_binomial", "task.scaling": "none"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"batches.horizon": 0}, r"data\.horizon=0: expected a whole number from 1"),
        ({"batches.look_back": 500}, r"series 'a' \(160 steps\): its train split has 112 steps, too few"),
        ({"task.quantiles": [0.1, 0.5, 1.0]}, r"task\.quantiles: 1\.0 is not between 0 and 1"),
        ({"task.decoder": "recursive", "model.bidirectional": True}, r"reads on step by step"),
        ({"data.corpus.targets": ["sole"]}, r"no column 'sole'\. Did you mean sold\?"),
        ({"batches.calendar": ["our"]}, r"batches\.calendar: 'our'\. Did you mean hour\?"),
        ({"callbacks.checkpoint.monitor": "accuracy"}, r"no validation has the metric validation/accuracy"),
        ({"task.forcing": 2}, r"task\.forcing=2: expected a probability"),
        (COUNTS, r"which batches\.scaling=standard shifts"),
        ({**COUNTS, "batches.scaling": "mean"}, r"series 'a': sold is .*: whole numbers from 0"),
    ],
)
def test_what_does_not_fit_is_told_before_training(
    changes: dict[str, Any], reason: str, run: Path, composed: dict[str, Any]
) -> None:
    config = copy.deepcopy(composed)
    for key, value in changes.items():
        put(config, key, value)
    with pytest.raises(RnnlabError, match=reason):
        prepare(config, None)


def test_what_cannot_be_trained_is_told(
    run: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", *SMALL, f"init_from={run}") == 2
    assert "task=forecasting starts from no other run" in said(capsys)
    assert command("train", "task=forecasting", "data=rotten_tomatoes") == 2
    assert "data=rotten_tomatoes holds no series" in said(capsys)


def test_constant_and_missing_values_are_told(room: Path, composed: dict[str, Any], run: Path) -> None:
    lines = (room / "shops.csv").read_text().splitlines()
    same = [line if line[0] != "b" else ",".join([*line.split(",")[:2], "7", line[-1]]) for line in lines]
    (room / "same.csv").write_text("\n".join(same))
    config = copy.deepcopy(composed)
    put(config, "data.corpus.files", "same.csv")
    told = " ".join(prepare(config, None)[0].warnings())
    assert "Constant in training, which leaves nothing to scale by: sold of series 'b'." in told
    assert "of the values are missing" in told


def test_a_sweep_its_table_and_its_plots(
    run: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    swept = ["data.horizon=2,4", "trainer.max_epochs=1", "logger=none"]
    fixed = [word for word in SMALL if "horizon" not in word and "max_epochs" not in word]
    assert command("train", "-m", *fixed, *swept) == 0
    assert "best validation/loss" in capsys.readouterr().out
    assert command("results", "logs/sweeps") == 0
    assert "data.horizon" in capsys.readouterr().out
    assert command("plot", f"run={run}") == 0
    assert (run / "figures" / "curve_mae.png").is_file()


def test_counts_are_learnt_as_counts(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(room)
    whole = (room / "shops.csv").read_text().splitlines()
    rows = [line.split(",") for line in whole[1:]]
    counted = [
        [shop, time, sold and str(max(0, round(float(sold)))), offer] for shop, time, sold, offer in rows
    ]
    (room / "counts.csv").write_text("\n".join([whole[0], *(",".join(row) for row in counted)]))
    words = ["data.corpus.files=counts.csv", "task.loss=negative_binomial", "task.scaling=none"]
    words += ["batches.scaling=mean", "baselines=false", "logger=none"]
    metrics = fit(composed_of([*SMALL, *words]), room / "counts")
    assert np.isfinite(list(metrics["test"].values())).all()
    model = rnnlab.load(room / "counts", device="cpu")
    for found in model.forecasts(model.table_of(room / "counts.csv"), None):
        assert found.values.min() >= 0


def test_a_damaged_checkpoint_is_told(run: Path, tmp_path: Path) -> None:
    content = read_checkpoint(RunFolder(run).best)
    content["rnnlab"]["features"]["scale"] = [[1.0]]
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(RunError, match="its series' columns and scales are not as rnnlab writes them"):
        rnnlab.load(tmp_path / "odd.ckpt", device="cpu")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of memory")
def test_a_thousand_series_of_a_thousand_steps_need_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(tmp_path / "cache"))
    words = ["task=forecasting", "data=made_series", "data.corpus.towns=1000", "data.corpus.steps=1000"]
    words += ["model.hidden_size=16", "model.backend=torch", "batches.stride=24", "logger=none"]
    words += ["trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=100"]
    config = composed_of(words)
    with PeakMemory(torch.device("cpu")) as small:  # what is there before: libraries, other tests
        fit({**config, "data": {**config["data"], "corpus": TEN}}, tmp_path / "small")
    with PeakMemory(torch.device("cpu")) as large:
        metrics = fit(config, tmp_path / "large")
    if small.bytes is None or large.bytes is None:
        pytest.skip("this system does not let a process reset its peak")
    assert np.isfinite(list(metrics["test"].values())).all()
    # All 581,000 windows at once were 280 MB of float32; the series are 16 MB.
    assert large.bytes - small.bytes < 200 * 2**20


@pytest.mark.slow
def test_a_sweep_of_cells_and_horizons_its_table_and_its_plots(
    room: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(room)
    made = ["task=forecasting", "data=made_series", "data.corpus.towns=1", "data.corpus.steps=2000"]
    made += ["data.look_back=24", "batches.train_stride=32", "batches.stride=16", "model.hidden_size=4"]
    made += ["trainer=cpu", "trainer.max_epochs=1", "baselines=false", "model.backend=torch"]
    swept = ["model=rnn,lstm,gru,mingru", "data.horizon=96,192"]
    assert command("train", "-m", *made, *swept) == 0
    assert "best validation/loss" in capsys.readouterr().out
    assert command("results", "logs/sweeps") == 0
    table = capsys.readouterr().out
    assert "data.horizon" in table
    for cell in ("rnn", "lstm", "gru", "mingru"):
        assert len(re.findall(rf"\b{cell} +│? *(?:96|192) ", table)) == 2, table
    (sweep,) = {file.parent for file in Path("logs/sweeps").rglob("sweep.yaml")}
    assert command("plot", f"run={sweep}", "output=plots") == 0
    assert {"curve_loss", "curve_mae"} <= {file.stem for file in Path("plots").glob("*.png")}

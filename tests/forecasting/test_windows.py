"""Windows as batches: each once in an epoch, shared out among processes, blind to what comes after them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from rnnlab.corpora.frequency import Frequency
from rnnlab.corpora.series import Borders, Columns, Reading, Series
from rnnlab.tasks.forecasting.data import WindowData
from rnnlab.tasks.forecasting.network import DECODERS
from rnnlab.tasks.forecasting.task import Forecaster

ROWS, LOOK_BACK, HORIZON, PLANTED = 90, 12, 6, 1e6
ENCODER = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "hidden_size": 6, "backend": "torch"}


@dataclass
class InMemory:
    """Two targets, of which some values are missing, and what is known ahead of time; perhaps what is not."""

    series: list[Series]
    columns: Columns
    name = "made up"
    fingerprint = "made up"
    frequency = Frequency(1, "h")
    reading = Reading("time")

    def borders(self, series: Series) -> Borders:
        return Borders(50, 66, ROWS)


def corpus(past: bool) -> InMemory:
    chance = np.random.default_rng(3)
    columns = Columns(("x", "y"), ("z",) if past else (), ("w",), ("size",))
    found = []
    for name in "ab":
        values = chance.normal(size=(ROWS, len(columns.moving)))
        values[chance.random(ROWS) < 0.1, 0] = np.nan
        times = np.datetime64("2024-01-01T00", "us") + np.arange(ROWS) * np.timedelta64(1, "h")
        found.append(Series(name, times, values, chance.normal(size=1), ROWS))
    return InMemory(found, columns)


def data_of(made: InMemory, **options: Any) -> WindowData:
    sizes = {"look_back": LOOK_BACK, "horizon": HORIZON, "batch_size": 8, "calendar": ["hour"]}
    data = WindowData(corpus=made, seed=1, **{**sizes, **options})  # type: ignore[arg-type]
    data.prepare()
    return data


def planted(made: InMemory, number: int, origin: int) -> InMemory:
    """Return the corpus with a value planted in all that a window must not see."""
    its = made.series[number]
    values = its.values.copy()
    values[origin:, : len(made.columns.targets) + len(made.columns.past)] = PLANTED
    series = [
        replace(its, values=values) if place == number else one for place, one in enumerate(made.series)
    ]
    return replace(made, series=series)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_value_planted_in_the_future_changes_no_prediction(decoder: str) -> None:
    made = corpus(past=decoder != "recursive")
    data = data_of(made)
    torch.manual_seed(1)
    sizes = {"segment": 4, "embedding_size": 8, "scaling": "standard"}
    task = Forecaster(model=ENCODER, decoder=decoder, **sizes, **data.model_arguments()).eval()
    windows = data.windows["test"]
    for number in range(len(windows)):
        (series,), (origin,) = windows.places(np.array([number]))
        both = [data, data_of(planted(made, int(series), int(origin)))]
        here, there = (one.tables.batch(windows, np.array([number])) for one in both)
        with torch.no_grad():
            expected, found = (task(batch.inputs, batch.ahead) for batch in (here, there))
        assert torch.equal(expected, found)
        assert (there.targets.nan_to_num() > here.targets.nan_to_num() + 1e3).any(), "something was planted"


def test_each_window_is_there_once_in_an_epoch_whatever_the_processes() -> None:
    data = data_of(corpus(past=True), batch_size=7)
    for split in ("train", "test"):
        count = data.size_of(split)
        seen = [batch.windows[batch.valid.any((1, 2))] for batch in data.loader(split)]
        assert sorted(torch.cat(seen).tolist()) == list(range(count))
        assert count % 7, "the last batch is not a whole one"
    train = data.loader("train")
    first = torch.cat([batch.windows for batch in train])
    train.set_epoch(1)
    assert not torch.equal(first, torch.cat([batch.windows for batch in train]))


def test_a_batch_holds_what_the_series_say() -> None:
    made = corpus(past=True)
    data = data_of(made)
    batch = next(iter(data.test_dataloader()))
    assert data.features.read[:5] == ("x", "y", "z", "w", "size")
    assert data.features.read[5:] == (
        "hour (sine)",
        "hour (cosine)",
        "x is known",
        "y is known",
        "z is known",
    )
    series, origins = data.windows["test"].places(batch.windows.numpy())
    for row, (number, origin) in enumerate(zip(series, origins, strict=True)):
        its = made.series[number]
        location, scale, naive = batch.units[row]
        train = its.values[:50, :2]
        assert location.numpy() == pytest.approx(np.nanmean(train, axis=0))
        assert scale.numpy() == pytest.approx(np.nanstd(train, axis=0))
        assert naive.numpy() == pytest.approx(np.nanmean(np.abs(train[24:] - train[:-24]), axis=0))
        truth = batch.targets[row].double() * scale + location
        happened = its.values[origin : origin + HORIZON, :2]
        assert truth.numpy() == pytest.approx(happened, nan_ok=True, abs=1e-5)
        assert (batch.valid[row].numpy() == ~np.isnan(happened)).all()
        read = its.values[origin - LOOK_BACK : origin, :3]
        assert (batch.inputs[row, :, -3:].numpy() == ~np.isnan(read)).all()
        assert not batch.inputs[row].isnan().any()


@pytest.mark.parametrize("keep", [True, False])
def test_a_new_series_has_its_own_scale_and_training_s_for_what_all_share(keep: bool) -> None:
    made = corpus(past=True)
    features = data_of(made).features
    new = replace(made.series[0], name="new", values=made.series[0].values * 10, static=np.array([7.0]))
    other = replace(made.series[1], name="other", values=made.series[1].values + 5, static=np.array([-7.0]))
    borders = [made.borders(its) for its in (new, other)]
    alone, beside = (
        features.of_others([new], borders[:1], keep),
        features.of_others([new, other], borders, keep),
    )
    assert np.array_equal(alone.on_scale(new, 0), beside.on_scale(new, 0), equal_nan=True)
    assert (alone.scaling.scale[0, :3] > 5 * features.scaling.scale[0, :3]).all()
    for part in ("location", "scale"):
        assert np.array_equal(getattr(beside.scaling, part)[1, 3:], getattr(features.scaling, part)[0, 3:])

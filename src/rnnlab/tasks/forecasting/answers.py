"""A trained forecaster: it reads a table of series and says what comes next in each, and why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.corpora.frequency import Times, told
from rnnlab.corpora.records import Records, records_of_file, records_of_frame
from rnnlab.corpora.series import Borders, Reading, Series
from rnnlab.corpora.series_rows import read_series
from rnnlab.corpora.series_table import check_columns
from rnnlab.corpora.written_values import series_name
from rnnlab.encoder.attribution import integrated_gradients
from rnnlab.errors import ConfigError, DataError, RunError, nearest
from rnnlab.signals.windows import Windows, offsets_of
from rnnlab.tasks.answers import OpenedRun, TrainedModel
from rnnlab.tasks.forecasting.conformal import Tracker
from rnnlab.tasks.forecasting.data import Tables, features_of
from rnnlab.tasks.forecasting.task import Forecaster
from rnnlab.tasks.task import evaluating

if TYPE_CHECKING:
    from rnnlab.tasks.forecasting.exports import ForecastExports

TOGETHER = 256
"""Series that are forecast together."""
PAST = 2048
"""The most steps of a series' past whose errors its quantiles follow."""
MOST_STEPS = 512
"""Of the integral that explains a forecast."""


class Forecast(NamedTuple):
    """What comes next in one series, in real units.

    Attributes:
        series: its name; empty where there is one.
        times: of the horizon ``(horizon,)``.
        values: each target's forecast, and its quantiles behind it, as columns ``(horizon, columns)``.
        in_utc: whether the times are those of UTC, as the table wrote its own with offsets.
    """

    series: str
    times: Times
    values: npt.NDArray[np.float64]
    in_utc: bool


class Asked(NamedTuple):
    """Series whose future is asked for, each with the horizon's rows behind its last known value.

    Attributes:
        series: the series.
        windows: the last window of each.
        tables: their columns on the scale of training.
    """

    series: Sequence[Series]
    windows: Windows
    tables: Tables


class TrainedForecaster(TrainedModel):
    """A forecaster that answers; see :class:`TrainedModel` for what it is made of.

    A series of the training's name has its scale of then; any other has that of all its known values. What
    is known ahead of time, or the same in all rows of a series, is on the scale of training in either.
    """

    task: Forecaster

    def __init__(self, run: OpenedRun, device: str = "auto") -> None:
        super().__init__(run, device)
        self.features = features_of(run)
        self.look_back = int(run.model_arguments["look_back"])
        self.horizon = int(run.model_arguments["horizon"])
        self.levels = self.task.levels if self.task.says_quantiles else ()

    @property
    def exports(self) -> "ForecastExports":
        """ONNX and safetensors."""
        from rnnlab.tasks.forecasting.exports import ForecastExports

        return ForecastExports(self)

    def refusal(self, ability: str, tasks: str) -> RunError:
        """Return the error for what it can't do, and what it can."""
        return RunError(
            f"{super().refusal(ability, tasks)} This one forecasts: scripts/predict.py run=… input=mine.csv "
            "output=forecast.csv."
        )

    def forecast(self, frame: Any, horizon: int | None = None) -> Any:
        """Return what comes next in each series of a pandas DataFrame, as a DataFrame.

        Args:
            frame: the columns of training, at least as many rows of each series as the look-back has steps.
                Covariates known ahead of time go on behind the last known target for the horizon.
            horizon: steps, at most those that the model was trained for; None for all.

        Returns:
            A row for each series and step: the series' name where there is a column of names, as the frame
            has it; the time, in the frame's zone where it has one; and for each target its forecast and
            (``OT_0.1``...) its quantiles.

        Raises:
            ConfigError: if the horizon is none, or longer than the model's.
            DataError: if the frame lacks a column, a series is too short, or a covariate is not known.
        """
        import pandas

        table = records_of_frame(frame)
        found = list(self.forecasts(table, horizon))
        reading = self.reading_of(table)
        given, columns = names_given(table, reading), dict[str, Any]()
        if reading.id is not None:
            columns[reading.id] = [given[one.series] for one in found for _ in one.times]
        times = np.concatenate([one.times for one in found])
        columns[reading.time] = in_zone(times, table, reading.time) if found[0].in_utc else times
        values = np.concatenate([one.values for one in found])
        named = zip(self.names, values.T, strict=True)
        return pandas.DataFrame({**columns, **dict(named)})

    def file_answers(self, file: Path, horizon: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows of a forecast for a table, see :meth:`forecast`; times as the table writes them."""
        table = self.table_of(file)
        reading = self.reading_of(table)
        for found in self.forecasts(table, horizon):
            for time, values in zip(found.times, found.values.tolist(), strict=True):
                known = {} if reading.id is None else {reading.id: found.series}
                written = as_written(time, reading.time_format, found.in_utc)
                yield {**known, reading.time: written, **dict(zip(self.names, values, strict=True))}

    def file_explanations(self, file: Path, target: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield what each step and column of a table did to the forecasts, see :meth:`explain_forecast`."""
        table = self.table_of(file)
        reading = self.reading_of(table)
        for series, rows in self.explanations(table, target, None):
            for time, column, share in rows:
                known = {} if reading.id is None else {reading.id: series.name}
                written = as_written(time, reading.time_format, series.in_utc)
                yield {**known, reading.time: written, "column": column, "share": share}

    def explain_forecast(self, frame: Any, target: str | None = None, step: int | None = None) -> Any:
        """Return what each step and column of a pandas DataFrame did to the forecasts, as a DataFrame.

        Integrated gradients from a window in which all is the mean of training: the shares of a series add up
        to its forecast minus that of such a window, in real units.

        Args:
            frame: as :meth:`forecast` takes it.
            target: whose forecast; None for the first one.
            step: of the horizon, from 1; None for the mean over all.

        Returns:
            A row for each series, time and column with its ``share``.

        Raises:
            ConfigError: if there is no such target or step.
            DataError: as :meth:`forecast` does.
        """
        import pandas

        table = records_of_frame(frame)
        reading = self.reading_of(table)
        given, parts = names_given(table, reading), []
        for series, rows in self.explanations(table, target, step):
            part = pandas.DataFrame(rows, columns=[reading.time, "column", "share"])
            if series.in_utc:
                part[reading.time] = in_zone(part[reading.time], table, reading.time)
            if reading.id is not None:
                part.insert(0, reading.id, given[series.name])
            parts.append(part)
        return pandas.concat(parts, ignore_index=True)

    @property
    def names(self) -> list[str]:
        """Names of a forecast's columns: each target, and each of its quantiles."""
        targets = self.features.columns.targets
        return [
            name for target in targets for name in (target, *(f"{target}_{level:g}" for level in self.levels))
        ]

    def table_of(self, file: Path) -> Records:
        """Return a file's records; a file with the name of a series in training is that series."""
        if not file.is_file():
            raise DataError(f"There is no file {file}.")
        table = records_of_file(file, None)
        return replace(table, series=file.stem) if file.stem in self.features.names else table

    def reading_of(self, table: Records) -> Reading:
        """Return how the table is read: as in training, without names where it has none."""
        reading = self.features.reading
        has_names = reading.id is None or reading.id in table.columns
        return reading if has_names else replace(reading, id=None)

    def forecasts(self, table: Records, horizon: int | None) -> Iterator[Forecast]:
        """Yield what comes next in each series of a table."""
        steps = self.steps(horizon)
        asked = self.asked(table)
        for numbers in np.array_split(np.arange(len(asked.series)), -(-len(asked.series) // TOGETHER)):
            batch = asked.tables.batch(asked.windows, numbers).to(self.device)
            with evaluating(self.task):
                parameters = self.task(batch.inputs, batch.ahead)
                said = self.task.said(parameters, batch.units, adjusted=True)
                if self.task.tracked:
                    said = said._replace(quantiles=torch.stack([self.followed(asked, n) for n in numbers]))
            location, scale = (part[:, None, :, None] for part in batch.units.unbind(1)[:2])
            parts = [said.point.unsqueeze(-1), *([] if said.quantiles is None else [said.quantiles])]
            real = torch.cat(parts, dim=-1).double() * scale + location  # beside the target its quantiles
            values = real[:, :steps].flatten(2).cpu().numpy()
            for row, number in enumerate(numbers.tolist()):
                its = asked.series[number]
                times = its.times[its.length : its.length + steps]
                yield Forecast(its.name, times, values[row], its.in_utc)

    def followed(self, asked: Asked, number: int) -> Tensor:
        """Return a series' quantiles ``(horizon, targets, levels)`` as the errors of its own past move them.

        It is forecast from each step of its past, or the last :data:`PAST`, as if that had been now.
        """
        now = asked.windows.first
        first = np.maximum(self.look_back, now - PAST)
        is_it = np.arange(len(now)) == number
        past = Windows(asked.windows.offsets, first, np.where(is_it, now - first + 1, 0))
        tracker = Tracker(self.task.adjustment)
        for origins in np.array_split(np.arange(len(past)), -(-len(past) // TOGETHER)):
            batch = asked.tables.batch(past, origins).to(self.device)
            moved = self.task.following(tracker, past, batch, self.task(batch.inputs, batch.ahead))
        return moved[-1]

    def explanations(
        self, table: Records, target: str | None, step: int | None
    ) -> Iterator[tuple[Series, list[tuple[Any, str, float]]]]:
        """Yield each series of a table with time, column and share of what its forecast was made of."""
        targets = self.features.columns.targets
        if target is not None and target not in targets:
            raise ConfigError(f"target {target!r}: the model forecasts others. {nearest(target, targets)}")
        if step is not None and not 1 <= step <= self.horizon:
            raise ConfigError(f"step={step}: expected a step of the horizon, 1 to {self.horizon}.")
        asked = self.asked(table)
        column = 0 if target is None else targets.index(target)
        chosen = slice(None) if step is None else slice(step - 1, step)
        for number, its in enumerate(asked.series):
            batch = asked.tables.batch(asked.windows, np.array([number])).to(self.device)
            scale = float(batch.units[0, 1, column])

            def score(inputs: Tensor, ahead: Tensor, scale: float = scale) -> Tensor:
                point = self.task.network.loss.point(self.task(inputs, ahead))
                return point[:, chosen, column].mean(dim=1) * scale

            with evaluating(self.task), torch.enable_grad():
                read, ahead = explained(score, batch.inputs[0], batch.ahead[0])
            begin = its.length - self.look_back
            rows = shares_of(read, its.times[begin : its.length], self.features.read)
            yield its, rows + shares_of(ahead, its.times[its.length :], self.features.ahead)

    def asked(self, table: Records) -> Asked:
        """Return the series of a table, checked and on the scale of training.

        Raises:
            DataError: if a column, steps or covariates are missing, naming series and time.
        """
        columns, reading = self.features.columns, self.reading_of(table)
        check_columns(table, reading, columns)
        series, _ = read_series([table], columns, reading)
        ready = [self.with_horizon(its) for its in series]
        lengths = np.array([its.length for its in ready])
        borders = [Borders(its.length, its.length, its.length) for its in ready]
        features = self.features.of_others(ready, borders, keep=True)
        windows = Windows(offsets_of(ready), lengths, np.ones_like(lengths))
        return Asked(ready, windows, Tables.of(features, ready, self.look_back, self.horizon))

    def with_horizon(self, series: Series) -> Series:
        """Return a series with a row for each step of the horizon, whose targets nobody knows yet.

        Raises:
            DataError: if it is shorter than the look-back, or what is known ahead of time is not.
        """
        if series.length < self.look_back:
            raise DataError(
                f"{series.called} has {series.length:,} steps with a known target, and the model reads the "
                f"last {self.look_back:,}: give it more of the past."
            )
        rows = series.length + self.horizon
        times = self.features.frequency.grid(series.times, rows)
        values = np.full((rows, series.values.shape[1]), np.nan)
        values[: min(rows, len(series.values))] = series.values[:rows]
        future = self.features.columns.future
        unknown = np.argwhere(np.isnan(values[:, len(series.values[0]) - len(future) :]))
        if len(unknown):
            step, column = unknown[0]
            at, end = (told(time, series.in_utc) for time in (times[step], times[-1]))
            raise DataError(
                f"{series.called}: {future[column]} is not known at {at}, and the model reads it for all "
                f"{self.horizon:,} steps ahead, to {end}: add rows with it, their targets empty."
            )
        return replace(series, times=times, values=values)

    def steps(self, horizon: int | None) -> int:
        """Return how many steps are forecast.

        Raises:
            ConfigError: if there is none, or more than the model was trained for.
        """
        if horizon is None:
            return self.horizon
        if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or horizon < 1:
            raise ConfigError(f"horizon={horizon!r}: expected a whole number from 1.")
        if horizon > self.horizon:
            raise ConfigError(
                f"horizon={horizon}: the model forecasts {self.horizon} steps. Train one with "
                f"data.horizon={horizon}."
            )
        return horizon


def explained(
    score: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, ahead: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what each of one window's inputs did to a score: the shares, of the inputs' shapes.

    Args:
        score: windows ``(batch, look_back, columns)`` and what is known ahead ``(batch, horizon, ahead)`` to
            the number ``(batch,)`` to be explained.
        inputs: ``(look_back, columns)``.
        ahead: ``(horizon, ahead)``.
    """
    border = inputs.numel()

    def of_one_row(points: Tensor) -> Tensor:
        flat = points[..., 0]  # (batch, inputs and ahead)
        return score(
            flat[:, :border].reshape(len(flat), *inputs.shape),
            flat[:, border:].reshape(len(flat), *ahead.shape),
        )

    # To the integral every input is a step of its own with one feature.
    row = torch.cat((inputs.flatten(), ahead.flatten())).unsqueeze(1)
    shares = integrated_gradients(of_one_row, row, MOST_STEPS).shares
    return shares[:border].view_as(inputs), shares[border:].view_as(ahead)


def shares_of(shares: Tensor, times: Times, columns: Sequence[str]) -> list[tuple[Any, str, float]]:
    """Return time, column and share of each number ``(steps, columns)``."""
    return [
        (time, column, share)
        for time, row in zip(times, shares.tolist(), strict=True)
        for column, share in zip(columns, row, strict=True)
    ]


def names_given(table: Records, reading: Reading) -> dict[str, Any]:
    """Return what a table's column of names holds for each series: numbers, perhaps; nothing without one."""
    asked = [] if reading.id is None else [reading.id]
    return {series_name(value): value for _, values in table.read(asked) for value in values}


def in_zone(times: Any, table: Records, column: str) -> Any:
    """Return times of UTC, for a frame, in the zone of a table's first time; in UTC if that has none."""
    import pandas

    _, (first,) = next(iter(table.read([column])))
    return pandas.DatetimeIndex(times).tz_localize("UTC").tz_convert(getattr(first, "tzinfo", None) or "UTC")


def as_written(time: Any, form: str | None, in_utc: bool = False) -> str | int:
    """Return a time as a table has it; with the offset 0 where it is one of UTC.

    >>> as_written(np.datetime64("2018-06-26T20:00", "us"), None), as_written(7, None)
    ('2018-06-26 20:00:00', 7)
    """
    if not isinstance(time, np.datetime64):
        return int(time)
    moment: datetime = time.astype("datetime64[us]").astype(datetime)
    if in_utc:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.strftime(form) if form else moment.isoformat(sep=" ")

"""What a finished forecast shows: forecasts with bands, the error by step, coverage, what is left."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import numpy.typing as npt
import torch
from rich.table import Table
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from rnnlab.atomic import write_text
from rnnlab.corpora.frequency import told
from rnnlab.data.bucketing import spread_over
from rnnlab.figures.drawing import publish, save
from rnnlab.figures.forecasts import (
    DrawnForecast,
    coverage_figure,
    error_by_step_figure,
    forecasts_figure,
    residuals_figure,
)
from rnnlab.tasks.figures import SPLITS, Recorder, TaskFigures, gathered
from rnnlab.tasks.forecasting.baselines import repeating
from rnnlab.tasks.forecasting.data import WindowBatch, WindowData
from rnnlab.tasks.forecasting.metrics import ForecastScores, figures_of
from rnnlab.terminal import table_of

if TYPE_CHECKING:
    from rnnlab.tasks.forecasting.task import Forecaster, Said

Numbers = npt.NDArray[np.floating]
DRAWN = 4
"""Forecasts that are drawn, evenly spread over a split."""
UP = "mean square error on training's scale"
FOLLOWING = "following known errors"
LEFT = 1000
"""Windows whose residuals are drawn, evenly spread over a split."""


class RecordedForecasts(Recorder):
    """Sums of errors by step and by series, of the forecasts and of repeating what was; some windows whole.

    Args:
        task: what forecasts.
        data: what it forecasts.
        split: which of its splits.

    Attributes:
        scored: itself, once the split is scored.
    """

    def __init__(self, task: "Forecaster", data: WindowData, split: str) -> None:
        self.task, self.data, self.split = task, data, split
        self.scored = self

    def begin(self, loader: Any) -> None:
        """Forget what was kept."""
        count, horizon = len(self.data.features.columns.targets), self.data.horizon
        methods = repeating(self.data.look_back, horizon, self.data.features.frequency.season)
        self.simple, self.repeated = list(methods.items())[-1]
        scores = self.task.test_scores if self.split == "test" else self.task.validation_scores
        sizes = {"forecast": scores.levels, self.simple: ()}
        self.scores = {
            name: ForecastScores(horizon, count, levels, series=len(self.data.series))
            for name, levels in sizes.items()
        }
        followed = self.task.tracked_scores.levels if self.split == "test" else ()
        self.tracked = ForecastScores(horizon, count, followed)
        windows = self.data.size_of(self.split)
        self.drawn_ones, self.left_ones = spread_over(windows, DRAWN), spread_over(windows, LEFT)
        self.drawn: dict[int, tuple[Numbers, ...]] = {}
        self.left: dict[int, Numbers] = {}

    def keep(self, outputs: Any, batch: WindowBatch, number: int) -> None:
        """Add a batch to the sums; keep what is to be drawn."""
        said: Said = outputs["said"]
        batch = batch.to(torch.device("cpu"))
        repeated = self.repeated(batch.inputs[:, :, : batch.targets.shape[2]].numpy())
        point, quantiles = said.point.cpu(), None if said.quantiles is None else said.quantiles.cpu()
        bands = quantiles if self.scores["forecast"].levels else None
        seen = (batch.targets, batch.valid, batch.units, batch.series)
        self.scores["forecast"].update(point, *seen, bands)
        if self.tracked.levels:
            self.tracked.update(point, *seen[:3], quantiles=outputs["tracked"].cpu())
        self.scores[self.simple].update(torch.from_numpy(np.ascontiguousarray(repeated)), *seen)
        wanted = torch.isin(
            batch.windows, torch.from_numpy(np.concatenate((self.drawn_ones, self.left_ones)))
        )
        for row in wanted.nonzero()[:, 0].tolist():
            self.keep_window(batch, row, point[row], None if bands is None else bands[row])

    def keep_window(self, batch: WindowBatch, row: int, point: Tensor, bands: Tensor | None) -> None:
        """Keep what was read, what happened and what was forecast of a window, in real units."""
        if not batch.valid[row].any():
            return
        location, scale, _ = batch.units[row]
        truth = torch.where(batch.valid[row], batch.targets[row], torch.nan) * scale + location
        said = point * scale + location
        number = int(batch.windows[row])
        if number in self.left_ones:
            self.left[number] = (truth - said).numpy()
        if number in self.drawn_ones:
            read = batch.inputs[row, :, : len(location)] * scale + location
            kept = [torch.cat((read, truth)), said]
            if bands is not None:
                kept.append(bands * scale[:, None] + location[:, None])
            self.drawn[number] = tuple(part.numpy() for part in kept)

    def end(self, trainer: lightning.Trainer) -> None:
        """Join what all processes have kept."""
        for scores in (*self.scores.values(), self.tracked):
            states = [{name: getattr(scores, name) for name in scores._defaults}]
            joined = [part[0] for part in gathered(states, trainer)]
            for name in scores._defaults:
                setattr(scores, name, torch.stack([part[name] for part in joined]).sum(dim=0))
        for part in gathered((self.drawn, self.left), trainer):
            self.drawn |= part[0]
            self.left |= part[1]

    def tables(self) -> Sequence[Table]:
        """Return by how much bands miss."""
        if not self.scores["forecast"].bands:
            return ()
        tracked = figures_of(self.tracked) if self.tracked.levels else {}
        metrics = figures_of(self.scores["forecast"])
        metrics |= {f"tracked_{name}": tracked[name] for name in self.tracked.of_bands}
        before = ", before they are adjusted on it" if self.split == "validation" else ""
        return (bands_table(f"Bands on the {self.split} split{before}", metrics),)

    def forecasts(self) -> list[DrawnForecast]:
        """Return the forecasts to draw: of each kept window one target, each in turn."""
        targets = self.data.features.columns.targets
        found = []
        for turn, number in enumerate(sorted(self.drawn)):
            (series,), (origin,) = self.data.windows[self.split].places(np.array([number]))
            its, target = self.data.series[series], turn % len(targets)
            values, said, *bands = self.drawn[number]
            times = its.times[origin - self.data.look_back : origin + self.data.horizon]
            name = f"{targets[target]} of {its.name}" if its.name else targets[target]
            title = f"{name}, from {told(its.times[origin])}"
            drawn = self.bands_of(bands[0][:, target]) if bands else {}
            found.append(DrawnForecast(title, times, values[:, target], said[:, target], drawn))
        return found

    def bands_of(self, quantiles: Numbers) -> dict[str, tuple[Numbers, Numbers]]:
        """Return the lower and upper ends of each band out of quantiles ``(horizon, levels)``."""
        scores = self.scores["forecast"]
        return {
            f"{scores.percent((low, high))} %": (quantiles[:, low], quantiles[:, high])
            for low, high in scores.bands
        }

    def write(self, scored: Mapping[str, "RecordedForecasts"], folder: Path) -> None:
        """Write the errors of each step and series as ``backtest.json``, and the figures.

        Of several runs there is one figure, of their errors by step.
        """
        points = {
            run: {"by_step": found.by_step(), "by_series": found.by_series()} for run, found in scored.items()
        }
        write_text(folder / "backtest.json", json.dumps(points, indent=1) + "\n")
        if len(scored) == 1:
            self.draw(folder)
            return
        errors = {run: found.scores["forecast"].by_step("squared") for run, found in scored.items()}
        save(error_by_step_figure(errors, UP), folder, f"error_by_step_{self.split}")

    def draw(self, folder: Path, writer: SummaryWriter | None = None, step: int = 0) -> None:
        """Write the figures of the split into a folder, and to TensorBoard where it is on."""
        ours = self.scores["forecast"]
        errors = {name: scores.by_step("squared") for name, scores in self.scores.items()}
        figures = {"error_by_step": error_by_step_figure(errors, UP)}
        if self.left:
            targets = self.data.features.columns.targets
            figures["residuals"] = residuals_figure(self.residuals(), f"{targets[0]} less its forecast")
        if self.drawn:
            figures["forecasts"] = forecasts_figure(self.forecasts())
        if ours.levels:
            shares = {self.split: ours.shares_below()}
            if self.tracked.levels:
                shares[f"{self.split}, {FOLLOWING}"] = self.tracked.shares_below()
            figures["coverage"] = coverage_figure(shares, ours.levels)
        for name, figure in figures.items():
            publish(figure, folder, f"{name}_{self.split}", writer, step)

    def residuals(self) -> Numbers:
        """Return what is left of the first target ``(windows, horizon)``, in real units."""
        return np.stack([self.left[number][:, 0] for number in sorted(self.left)])

    def by_step(self) -> list[dict[str, float | None]]:
        """Return the error of each step of the horizon, and that of repeating what was."""
        names = {"mse": "squared", "mae": "absolute", "real_mae": "real_absolute"}
        columns = {
            **{key: self.scores["forecast"].by_step(name) for key, name in names.items()},
            f"mae of {self.simple}": self.scores[self.simple].by_step("absolute"),
        }
        return [
            {"step": step + 1, **{key: number(values[step]) for key, values in columns.items()}}
            for step in range(self.data.horizon)
        ]

    def by_series(self) -> list[dict[str, Any]]:
        """Return the error of each series."""
        found = self.scores["forecast"].by_series()
        return [
            {"series": its.name, **{key: number(values[place]) for key, values in found.items()}}
            for place, its in enumerate(self.data.series)
        ]


class ForecastFigures(TaskFigures):
    """Figures of a forecast.

    Args:
        task: what forecasts.
        data: its windows.
    """

    def __init__(self, task: "Forecaster", data: WindowData) -> None:
        self.recorders: dict[str, RecordedForecasts] = {
            split: RecordedForecasts(task, data, split) for split in SPLITS
        }

    def publish(self, run: Path, writer: SummaryWriter | None, step: int) -> None:
        """See :class:`TaskFigures`."""
        for recorder in self.recorders.values():
            recorder.draw(run / "figures", writer, step)


def bands_table(title: str, metrics: Mapping[str, float]) -> Table:
    """Return a table of how much bands say that they hold, how much they did, and how wide they are.

    Args:
        title: of the table.
        metrics: with ``coverage_80``, ``width_80`` and so on, perhaps ``tracked_coverage_80``.
    """
    table = table_of(title, "", ("say", "hold", "off by", "width", "wql"))
    for name, held in metrics.items():
        prefix, _, percent = name.rpartition("coverage_")
        if name not in (f"coverage_{percent}", f"tracked_coverage_{percent}"):
            continue
        kind = FOLLOWING if prefix else "as they left training"
        off = f"{100 * held - float(percent):+.1f} points"
        width, lost = (f"{metrics[f'{prefix}{part}']:.4f}" for part in (f"width_{percent}", "wql"))
        table.add_row(kind, f"{percent} %", f"{100 * held:.1f} %", off, width, lost)
    return table


def number(value: Tensor) -> float | None:
    """Return a number, None where it is none: JSON has no NaN."""
    return None if value.isnan() else float(value)

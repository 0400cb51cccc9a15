"""Windows of series as batches, cut out of one long table when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.corpora.corpus import Corpus
from rnnlab.corpora.frequency import told
from rnnlab.corpora.memory_problems import MemoryProblem
from rnnlab.corpora.series import Borders, Series, SeriesCorpus
from rnnlab.data.batch import moved
from rnnlab.data.bucketing import BucketedBatches, BucketedLoader, PlannedBatch, spread_over
from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError, DataError, RunError
from rnnlab.signals.calendar import check_calendar
from rnnlab.signals.scaling import check_kind
from rnnlab.signals.windows import Windows, carried_on, windows_of
from rnnlab.tasks.baselines import kept
from rnnlab.tasks.forecasting.baselines import LinearForecast, SeenWindows, repeating
from rnnlab.tasks.forecasting.features import Features
from rnnlab.tasks.forecasting.metrics import ForecastScores, figures_of
from rnnlab.text.encoded import Progress

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun

FITTED_ON = 1 << 16
"""The most training windows, evenly spread, from which the linear baseline is fitted."""
TOLD = 3  # constant columns that a warning names


class WindowBatch(NamedTuple):
    """Windows, a :class:`rnnlab.data.batch.Batch` that says more; numbers are on the scale of training.

    Attributes:
        inputs: look-backs ``(batch, look_back, columns)`` float32, in the order of :attr:`Features.read`;
            what is missing is the last known value.
        lengths: None: every look-back is whole.
        targets: horizons ``(batch, horizon, targets)`` float32, NaN where a value is not known.
        valid: what counts, bool of the same shape.
        ahead: what is known ahead of time ``(batch, horizon, ahead)`` float32.
        units: location, scale and naive change of the series, see
            :meth:`rnnlab.tasks.forecasting.metrics.ForecastScores.update`: ``(batch, 3, targets)`` float64.
        series: number of each window's series ``(batch,)`` int64.
        windows: number of each window in its split ``(batch,)`` int64.
        has_gaps: whether a value of a horizon is not known; told here, as to look would wait for a GPU.
    """

    inputs: Tensor
    lengths: None
    targets: Tensor
    valid: Tensor
    ahead: Tensor
    units: Tensor
    series: Tensor
    windows: Tensor
    has_gaps: bool

    def to(self, device: torch.device, **options: Any) -> "WindowBatch":
        """Return the windows on ``device``, themselves if they are there."""
        return moved(self, device)


class Tables(NamedTuple):
    """All series one after another, as :class:`Features` says.

    Attributes:
        features: which columns there are.
        values: ``(rows, columns)`` float32, NaN where one is missing.
        units: ``(series, 3, targets)`` float64.
        has_missing: whether a value is missing anywhere.
        look_back: steps that a window reads.
        horizon: steps that it forecasts.
    """

    features: Features
    values: npt.NDArray[np.float32]
    units: npt.NDArray[np.float64]
    has_missing: bool
    look_back: int
    horizon: int

    @classmethod
    def of(cls, features: Features, series: Sequence[Series], look_back: int, horizon: int) -> "Tables":
        """Return the series, of which ``features`` knows the scale in this order."""
        values = np.concatenate([features.on_scale(its, number) for number, its in enumerate(series)])
        count = len(features.columns.targets)
        parts = (features.scaling.location[:, :count], features.scaling.scale[:, :count], features.naive)
        has_missing = bool(np.isnan(values).any())
        return cls(features, values, np.stack(parts, axis=1), has_missing, look_back, horizon)

    def batch(
        self, windows: Windows, numbers: npt.NDArray[np.int64], valid: npt.NDArray[np.bool_] | None = None
    ) -> WindowBatch:
        """Return windows.

        Args:
            windows: those of a split.
            numbers: of the windows ``(batch,)``.
            valid: whether each counts ``(batch,)``; None where all do.
        """
        series, origins = windows.places(numbers)
        rows = self.values[windows.rows(series, origins, self.look_back, self.horizon)]
        read, later = rows[:, : self.look_back], rows[:, self.look_back :]
        count = len(self.features.columns.targets)
        told = count + len(self.features.columns.past)
        truth = later[:, :, :count]
        counted = np.broadcast_to(True if valid is None else valid[:, None, None], truth.shape)
        if self.has_missing:
            read, known = carried_on(read)
            counted = counted & ~np.isnan(truth)
            if self.features.marks:
                read = np.concatenate((read, known[:, :, :told].astype(np.float32)), axis=2)
        elif self.features.marks:
            read = np.concatenate((read, np.ones_like(read[:, :, :told])), axis=2)
        return WindowBatch(
            torch.from_numpy(read),
            None,
            torch.from_numpy(truth),
            torch.from_numpy(counted.copy()),
            torch.from_numpy(later[:, :, told:]),
            torch.from_numpy(self.units[series]),
            torch.from_numpy(series),
            torch.from_numpy(numbers),
            self.has_missing and bool(np.isnan(truth).any()),
        )


class WindowLoader(BucketedLoader[WindowBatch]):
    """Iterates over the windows of a split, each once in an epoch, no last batch left out.

    Args:
        tables: the series.
        windows: of the split.
        batches: which windows come together, and when.
    """

    def __init__(self, tables: Tables, windows: Windows, batches: BucketedBatches) -> None:
        super().__init__(batches)
        self.tables, self.windows = tables, windows

    def batch(self, planned: PlannedBatch) -> WindowBatch:
        """Return some windows."""
        return self.tables.batch(self.windows, planned.documents, planned.valid)


class WindowData(TaskData):
    """Windows of series: a look-back, and the horizon after it.

    A window belongs to the split in which its horizon lies; the look-back may reach over the border. Scales
    are those of the training splits.

    Args:
        corpus: the series.
        seed: fixes the order of the training windows.
        overfit: if given, train on this many batches only, the same in every epoch.
        look_back: steps that are read.
        horizon: steps that are forecast.
        batch_size: windows of a batch, on each process.
        stride: steps from one origin of validation and test to the next: 1 takes every origin.
        train_stride: likewise in training.
        scaling: of each series: ``standard``, ``mean`` or ``none``, see :mod:`rnnlab.signals.scaling`.
        calendar: parts of the calendar that are known ahead of time: ``minute``, ``hour``, ``weekday``,
            ``day``, ``yearday``, ``month``.

    Raises:
        ConfigError: if the data holds no series, or a value is out of range.
    """

    corpora = (SeriesCorpus, Corpus, MemoryProblem)  # of which the latter are refused with a reason
    features: Features

    def __init__(
        self,
        *,
        corpus: SeriesCorpus,
        seed: int,
        overfit: int | None = None,
        look_back: int = 96,
        horizon: int = 96,
        batch_size: int = 256,
        stride: int = 1,
        train_stride: int = 1,
        scaling: str = "standard",
        calendar: Sequence[str] = (),
    ) -> None:
        super().__init__(corpus=corpus, seed=seed, overfit=overfit)
        if not hasattr(corpus, "borders"):
            raise ConfigError(
                f"data={getattr(corpus, 'name', type(corpus).__name__)} holds no series: task=forecasting "
                "reads numbers over time, such as data=series (your own), data=made_series or data=etth1."
            )
        sizes = {"data.look_back": look_back, "data.horizon": horizon, "batches.batch_size": batch_size}
        for key, value in {**sizes, "batches.stride": stride, "batches.train_stride": train_stride}.items():
            if value < 1:
                raise ConfigError(f"{key}={value}: expected a whole number from 1.")
        check_calendar(calendar)
        check_kind(scaling)
        self.look_back, self.horizon, self.batch_size = look_back, horizon, batch_size
        self.strides = {"train": train_stride, "validation": stride, "test": stride}
        self.scaling, self.calendar = scaling, tuple(calendar)
        self.windows: dict[str, Windows] = {}

    @property
    def series(self) -> Sequence[Series]:
        """All series."""
        found: Sequence[Series] = self.corpus.series
        return found

    def prepare(self, progress: Progress | None = None) -> None:
        """Read the series, and scale them by what training knows."""
        borders = self.cut("train", "validation", "test")
        settings = (self.corpus.columns, self.calendar, self.scaling)
        self.take(
            Features.fitted(self.series, borders, *settings, self.corpus.frequency, self.corpus.reading)
        )

    def prepare_split(
        self, split: str, run: "OpenedRun", labels: Sequence[str] = (), progress: Progress | None = None
    ) -> None:
        """Cut one split as a trained model reads it: a series of the model's data keeps its scale there."""
        if labels:
            raise ConfigError(f"labels={','.join(labels)}: task={run.task_name} tells no classes of texts.")
        own = features_of(run)
        columns, frequency = self.corpus.columns, self.corpus.frequency
        if (columns, frequency) != (own.columns, own.frequency):
            raise ConfigError(
                f"The model was trained on {run.config['data']['name']}, and {self.corpus.name} has other "
                f"columns or another frequency ({own.columns.moving} every {own.frequency}; "
                f"{columns.moving} every {frequency})."
            )
        borders = self.cut(split)
        same = run.metadata.get("corpus", {}).get("name") == self.corpus.name
        self.take(own.of_others(self.series, borders, keep=same))

    def cut(self, *splits: str) -> list[Borders]:
        """Number the windows of splits; return each series' borders."""
        borders = [self.corpus.borders(its) for its in self.series]
        sizes = self.look_back, self.horizon
        for split in splits:
            self.windows[split] = windows_of(self.series, borders, split, *sizes, self.strides[split])
        return borders

    def take(self, features: Features) -> None:
        """Put the series on their scale."""
        self.features = features
        self.tables = Tables.of(features, self.series, self.look_back, self.horizon)

    def describe(self) -> str:
        """Return how much there is, in series, steps and windows."""
        steps = [its.length for its in self.series]
        columns = self.features.columns
        lengths = (
            f"{min(steps):,} steps" if min(steps) == max(steps) else f"{min(steps):,} to {max(steps):,} steps"
        )
        what = f"{len(steps):,} series of {lengths}" if len(steps) > 1 else lengths
        parts = [f"{len(columns.targets)} target{'s' if len(columns.targets) > 1 else ''}"]
        parts += [f"{len(columns.past)} covariates known up to now"] if columns.past else []
        parts += [f"{len(self.features.ahead)} known ahead"] if self.features.ahead else []
        sizes = ", ".join(f"{split} {len(windows):,}" for split, windows in self.windows.items())
        frequency = self.features.frequency
        distance = f"{frequency.count} {frequency.unit}".rstrip()
        return (
            f"{self.corpus.name}: {what} ({distance} apart), {', '.join(parts)}.\n"
            f"Windows of {self.look_back:,} steps and the {self.horizon:,} that follow: {sizes}."
        )

    def warnings(self) -> Sequence[str]:
        """Return what is constant, or missing."""
        found = []
        names = [*self.features.columns.moving, *self.features.columns.static]
        at = np.argwhere(self.features.scaling.constant)
        if len(at):
            told = [f"{names[column]} of {self.series[row].called}" for row, column in at[:TOLD]]
            more = f" and {len(at) - TOLD:,} more" if len(at) > TOLD else ""
            found.append(f"Constant in training, which leaves nothing to scale by: {', '.join(told)}{more}.")
        count = len(self.features.columns.targets) + len(self.features.columns.past)
        missing = float(np.isnan(self.tables.values[:, :count]).mean())
        if missing:
            found.append(
                f"{missing:.1%} of the values are missing: the network reads the last known one in their "
                "place, and no loss or figure counts them."
            )
        return found

    @classmethod
    def rehearsal(cls, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return windows of one column."""
        sizes = {name: config["batches"][name] for name in ("look_back", "horizon")}
        return {**sizes, "targets": ("value",)}

    def model_arguments(self) -> dict[str, Any]:
        """Return the sizes of a window and the names of its columns."""
        return {
            "look_back": self.look_back,
            "horizon": self.horizon,
            "targets": self.features.columns.targets,
            "past": self.features.columns.past,
            "ahead": self.features.ahead,
            "marks": self.features.marks,
        }

    def metadata(self) -> dict[str, Any]:
        """Return the features."""
        return {"features": self.features.to_dict()}

    def size_of(self, split: str) -> int:
        """Return how many windows a split has."""
        return len(self.windows[split])

    def loader(self, split: str) -> WindowLoader:
        """Return the batches of a split, this process's share of them."""
        rank, processes = self.rank_and_size()
        windows = self.windows[split]
        batches = BucketedBatches(
            np.full(len(windows), self.look_back),  # all are equally long
            self.batch_size,
            shuffle=split == "train",
            seed=self.seed,
            rank=rank,
            processes=processes,
        )
        return WindowLoader(self.tables, windows, batches)

    def check_counts(self) -> None:
        """Check that all targets are whole numbers from 0 and that none was shifted.

        Raises:
            ConfigError: if scaling shifts them.
            DataError: naming the first that is none.
        """
        if self.scaling == "standard":
            raise ConfigError(
                "task.loss=negative_binomial is of counts, which batches.scaling=standard shifts: set "
                "batches.scaling=mean."
            )
        targets = self.features.columns.targets
        for its in self.series:
            values = its.values[:, : len(targets)]
            wrong = np.argwhere((values < 0) | (values != np.round(values)) & ~np.isnan(values))
            if len(wrong):
                row, column = wrong[0]
                raise DataError(
                    f"{its.called}: {targets[column]} is {values[row, column]:g} at {told(its.times[row])}, "
                    "but task.loss=negative_binomial is of counts: whole numbers from 0. Take another loss."
                )

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return what simple forecasts reach on the test windows."""
        settings = {
            "corpus": self.corpus.fingerprint,
            "window": [self.look_back, self.horizon, self.strides, self.scaling],
            "version": 1,
        }
        return kept("forecasts", settings, self.simple_forecasts)

    def simple_forecasts(self) -> dict[str, dict[str, float]]:
        """Score the last value, the last season and a linear forecast on the test windows."""
        linear = LinearForecast.fitted(self.seen("train"), self.seen("validation"))
        simple = repeating(self.look_back, self.horizon, self.features.frequency.season)
        methods = {**simple, "linear (NLinear)": linear.forecast}
        count = len(self.features.columns.targets)
        scores = {name: ForecastScores(self.horizon, count) for name in methods}
        for batch in self.test_dataloader():
            read = batch.inputs[:, :, :count].numpy()
            for name, method in methods.items():
                said = np.ascontiguousarray(method(read))
                scores[name].update(torch.from_numpy(said), batch.targets, batch.valid, batch.units)
        return {name: figures_of(found) for name, found in scores.items()}

    def seen(self, split: str) -> Iterator[SeenWindows]:
        """Yield windows of a split, at most :data:`FITTED_ON` of them, a batch at a time."""
        windows = self.windows[split]
        count = len(self.features.columns.targets)
        numbers = spread_over(len(windows), FITTED_ON)
        for part in np.array_split(numbers, -(-len(numbers) // self.batch_size)):
            batch = self.tables.batch(windows, part)
            yield SeenWindows(batch.inputs[:, :, :count].numpy(), batch.targets.numpy(), batch.valid.numpy())


def features_of(run: "OpenedRun") -> Features:
    """Return what a trained model reads.

    Raises:
        RunError: if its checkpoint does not say so.
    """
    try:
        return Features.from_dict(run.metadata["features"])
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise RunError(
            f"{run.checkpoint} is damaged: its series' columns and scales are not as rnnlab writes them."
        ) from error

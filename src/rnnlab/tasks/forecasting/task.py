"""Forecasting: an encoder reads a look-back, and a decoder says each step of the horizon."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

import lightning
import numpy as np
import torch
from torch import Tensor

from rnnlab.data.bucketing import spread_over
from rnnlab.data.task_data import TaskData
from rnnlab.encoder.encoder import build_encoder
from rnnlab.errors import ConfigError
from rnnlab.signals.windows import Windows
from rnnlab.tasks.figures import gathered
from rnnlab.tasks.forecasting import OBJECTIVE
from rnnlab.tasks.forecasting.conformal import Conformal, Tracker, fitted
from rnnlab.tasks.forecasting.data import WindowBatch, WindowData
from rnnlab.tasks.forecasting.decoders import Recursive, Shape
from rnnlab.tasks.forecasting.losses import loss_named
from rnnlab.tasks.forecasting.metrics import ForecastScores
from rnnlab.tasks.forecasting.network import ForecastNetwork, build_decoder
from rnnlab.tasks.running_mean import RunningMean, StageScores
from rnnlab.tasks.task import Task
from rnnlab.terminal import shown

if TYPE_CHECKING:
    from rich.table import Table

    from rnnlab.tasks.answers import TrainedModel
    from rnnlab.tasks.figures import Recorder, TaskFigures
    from rnnlab.tasks.starting import Starting

MOST_WINDOWS, MOST_NUMBERS = 4096, 1 << 24
"""Windows of a validation, evenly spread, by which quantiles are adjusted, and the numbers they may hold:
enough for any level, in bounded memory."""


class Said(NamedTuple):
    """What is forecast of some windows, on the scale of training.

    Attributes:
        point: ``(batch, horizon, targets)``.
        quantiles: ``(batch, horizon, targets, levels)``; None where none are said.
    """

    point: Tensor
    quantiles: Tensor | None


class Forecaster(StageScores, Task):
    """What comes next in a series.

    ``look-back (batch, look_back, columns) -> window scaling -> decoder with encoder -> parameters (batch,
    horizon, targets, size)``, of which the loss says the size. The encoder sees the look-back alone, so it
    may read it both ways (``model.bidirectional=true``) and sees nothing of the future; ``recursive`` alone,
    which reads on step by step, can't have it.

    After each validation of a training, quantiles are adjusted by how far they missed there (see
    :mod:`rnnlab.tasks.forecasting.conformal`); the checkpoint keeps by how much. Figures of validation are
    those of the quantiles before, figures of the test and answers those after. With ``conformal`` a forecast
    of one number has quantiles, too. The test also has the figures of bands that follow the errors of its
    earlier forecasts, each known before the origin: ``tracked_coverage_80`` and so on, beside the others.

    Args:
        model: the encoder's configuration.
        look_back: steps that are read.
        horizon: steps that are forecast.
        targets: names of what is forecast.
        past: names of covariates known up to now.
        ahead: names of what is known ahead of time.
        marks: whether it is told which values are missing.
        decoder: ``direct``, ``recursive`` or ``segments``.
        scaling: of each window by itself: ``none``, ``standard``, ``last`` or ``revin``.
        loss: ``mse``, ``mae``, ``huber``, ``quantile``, ``gaussian``, ``student_t`` or ``negative_binomial``.
        quantiles: levels between 0 and 1, ascending, 0.5 among them.
        conformal: whether quantiles are adjusted on validation.
        tracked: whether quantiles of answers follow the errors of forecasts of the table's own past, too.
        dropout: share of the encoder's features dropped before the readout.
        huber_delta: of ``huber``: where squares end, on the scale of training.
        segment: of ``segments``: steps of one.
        embedding_size: of ``segments``: features of an embedded one.
        forcing: of ``recursive``: how probable it is, in training, that a step reads what really happened and
            not the forecast.
        final_forcing: how probable it is at the training's end, on a straight line from ``forcing``; None as
            at its beginning.
        optimizer: the optimizer's configuration; ``None`` for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or ``None``.

    Raises:
        ConfigError: if a value is out of range, or parts do not fit together.
    """

    monitor, mode = OBJECTIVE.monitor, OBJECTIVE.mode
    has_origins: ClassVar[bool] = True
    keeps_all_memory: ClassVar[bool] = True
    asked_keys = ("tracked",)
    shifts: Tensor

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        look_back: int,
        horizon: int,
        targets: Sequence[str],
        past: Sequence[str] = (),
        ahead: Sequence[str] = (),
        marks: bool = False,
        decoder: str = "direct",
        scaling: str = "last",
        loss: str = "mse",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        conformal: bool = True,
        tracked: bool = False,
        dropout: float = 0.0,
        huber_delta: float = 1.0,
        segment: int = 24,
        embedding_size: int = 128,
        forcing: float = 1.0,
        final_forcing: float | None = None,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler)
        self.levels, self.conformal, self.tracked = tuple(quantiles), conformal, tracked
        if tracked and not conformal:
            raise ConfigError("task.tracked=true moves what task.conformal=true has adjusted: set both.")
        chosen = loss_named(loss, self.levels, huber_delta)
        shape = Shape(look_back, horizon, len(targets), len(past), len(ahead), marks, chosen.size)
        built = build_decoder(decoder, shape, segment=segment, embedding_size=embedding_size, dropout=dropout)
        self.forcing = (forcing, forcing if final_forcing is None else final_forcing)
        for key, value in zip(("forcing", "final_forcing"), self.forcing, strict=True):
            if not 0 <= value <= 1:
                raise ConfigError(f"task.{key}={value}: expected a probability from 0 to 1.")
        encoder = build_encoder(model, input_size=built.input_size)
        self.network = ForecastNetwork(encoder, built, chosen, scaling)
        self.register_buffer("shifts", torch.zeros(horizon, len(targets), len(self.levels)))
        self.train_loss, self.validation_loss, self.test_loss = RunningMean(), RunningMean(), RunningMean()
        said = self.levels if chosen.has_quantiles else ()
        self.validation_scores = ForecastScores(horizon, len(targets), said)
        self.test_scores = ForecastScores(horizon, len(targets), self.levels if self.says_quantiles else ())
        self.tracked_scores = ForecastScores(horizon, len(targets), self.levels if conformal else ())
        self.kept: list[tuple[Tensor, ...]] = []

    @classmethod
    def trained_model(cls) -> "type[TrainedModel]":
        """Return the model that forecasts tables and data frames."""
        from rnnlab.tasks.forecasting.answers import TrainedForecaster

        return TrainedForecaster

    @classmethod
    def starting(cls) -> "Starting | None":
        """Refuse to start from another run.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "init_from: task=forecasting starts from no other run. Weights are those of columns, scales and "
            "windows, of which another run has its own; to go on with a run, resume=<run folder>."
        )

    def questions(self, run: Path) -> Sequence[Sequence[str]]:
        """Return the words of commands that forecast."""
        return [
            ("predict", f"run={shown(run)}", "input=mine.csv", "output=forecast.csv"),
            ("evaluate", f"run={shown(run)}", "stride=24"),
        ]

    @property
    def says_quantiles(self) -> bool:
        """Whether its answers have quantiles."""
        return self.conformal or self.network.loss.has_quantiles

    def prepare(self, config: Mapping[str, Any], data: TaskData) -> None:
        """Check that targets are counts where the loss is of counts."""
        if self.network.loss.counts:
            cast(WindowData, data).check_counts()

    def figures(self, data: TaskData, words: int) -> "TaskFigures":
        """Return forecasts with bands, the error by step, coverage, residuals."""
        from rnnlab.tasks.forecasting.figures import ForecastFigures

        return ForecastFigures(self, cast(WindowData, data))

    def recorder(self, data: TaskData, split: str) -> "Recorder":
        """Return what keeps a split's figures by step and by series."""
        from rnnlab.tasks.forecasting.figures import RecordedForecasts

        return RecordedForecasts(self, cast(WindowData, data), split)

    def shown_apart(self, metrics: Mapping[str, float]) -> "tuple[Collection[str], Sequence[Table]]":
        """Return the figures of bands, and a table that says by how much they miss."""
        from rnnlab.tasks.forecasting.figures import bands_table

        names = [name for name in metrics if name.removeprefix("tracked_") in self.test_scores.of_bands]
        return names, [bands_table("Bands on the test split", metrics)] if names else []

    def validation_metrics(self) -> Sequence[str]:
        """Return the names of all that a validation logs."""
        names = ("loss", *self.validation_scores.names)
        return [f"validation/{name}" for name in names]

    def forward(self, inputs: Tensor, ahead: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the forecast's parameters; see :meth:`ForecastNetwork.forward`."""
        found: Tensor = self.network(inputs, ahead, truth)
        return found

    def losses(self, parameters: Tensor, batch: WindowBatch) -> tuple[Tensor, Tensor]:
        """Return the sum of the losses of all that counts, and how much does."""
        loss = self.network.loss
        targets = torch.where(batch.valid, batch.targets, 0.0)
        if loss.counts:
            location, scale = (part.unsqueeze(1).to(targets) for part in batch.units.unbind(1)[:2])
            parameters, targets = loss.moved(parameters, location, scale), (targets * scale).round()
        each = torch.where(batch.valid, loss.losses(parameters, targets), 0.0)
        return each.sum(), batch.valid.sum()

    def said(self, parameters: Tensor, units: Tensor, *, adjusted: bool) -> Said:
        """Return what is forecast.

        Args:
            parameters: ``(batch, horizon, targets, size)``.
            units: of the windows ``(batch, 3, targets)``.
            adjusted: whether quantiles are as validation had them moved.
        """
        loss = self.network.loss
        point = loss.point(parameters)
        quantiles = self.raw_quantiles(parameters, units)
        if quantiles is None or not (adjusted and self.conformal):
            return Said(point, quantiles)
        whole = quantiles.expand(*point.shape, len(self.levels)).double().cpu().numpy()
        found = torch.from_numpy(self.adjustment.adjusted(whole)).to(point)
        return Said(point, found.clamp(min=0) if loss.counts else found)

    @property
    def adjustment(self) -> Conformal:
        """What validation has quantiles moved by."""
        return Conformal(self.levels, self.shifts.double().cpu().numpy())

    def following(self, tracker: Tracker, windows: Windows, batch: WindowBatch, parameters: Tensor) -> Tensor:
        """Return the quantiles of windows ``(batch, horizon, targets, levels)`` as a tracker moves them.

        Of several processes each follows the windows of all, in the order in which one would.

        Args:
            tracker: has seen the windows before.
            windows: of which the batch is a part, each later than those before it.
            batch: whose targets count as known where they are valid, to later windows.
            parameters: of the forecasts.
        """
        quantiles = self.raw_quantiles(parameters, batch.units)
        assert quantiles is not None
        parts = (batch.windows, quantiles.double(), batch.targets, batch.valid)
        own = tuple(part.cpu().numpy() for part in parts)
        moved = []
        for numbers, *rest in [own] if self._trainer is None else gathered(own, self.trainer):
            rows = zip(*windows.places(numbers), *rest, strict=True)
            moved.append(np.stack([tracker.follow(*window) for window in rows]))
        rank = 0 if self._trainer is None else self.trainer.global_rank
        found = torch.from_numpy(moved[rank]).to(parameters)
        return found.clamp(min=0) if self.network.loss.counts else found

    def raw_quantiles(self, parameters: Tensor, units: Tensor) -> Tensor | None:
        """Return quantiles as the network says them, the one number that it says, or none."""
        loss = self.network.loss
        if not loss.has_quantiles:
            return loss.point(parameters).unsqueeze(-1) if self.conformal else None
        if not loss.counts:
            return loss.quantiles(parameters, self.levels)
        scale = units[:, 1].unsqueeze(1).to(parameters)  # counts are whole in their own units alone
        whole = loss.quantiles(loss.moved(parameters, torch.zeros_like(scale), scale), self.levels)
        return whole / scale.unsqueeze(-1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the epoch's loss so far."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["epoch_loss"] = self.train_loss.counted

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the epoch's loss so far; checkpoints of before had none."""
        super().on_load_checkpoint(checkpoint)
        self.train_loss.take_up(checkpoint.get("epoch_loss", {}))

    def on_train_batch_start(self, batch: WindowBatch, batch_idx: int) -> None:
        """Choose how often a step reads what happened, and tell whether all of that is known."""
        first, last = self.forcing
        if isinstance(self.network.decoder, Recursive):
            done = self.global_step / max(1, self.training_steps()) if last != first else 0.0
            self.network.decoder.forcing = first + (last - first) * done
            self.network.decoder.has_gaps = batch.has_gaps

    def training_step(self, batch: WindowBatch, batch_index: int) -> Tensor:
        """Return the mean loss of all values that count."""
        total, count = self.losses(self(batch.inputs, batch.ahead, batch.targets), batch)
        self.train_loss.update(total.detach(), count)
        return self.step_mean(total, count)

    def validation_step(self, batch: WindowBatch, batch_index: int) -> dict[str, Any]:
        """Count the batch into the validation scores; return what was forecast."""
        _, said = self.counted(batch, "validation")
        if self.conformal and self.trainer.state.fn == "fit":
            assert said.quantiles is not None
            chosen = torch.isin(batch.windows.cpu(), self.chosen)
            self.kept.append((said.quantiles[chosen], batch.targets[chosen], batch.valid[chosen]))
        return {"said": said}

    def test_step(self, batch: WindowBatch, batch_index: int) -> dict[str, Any]:
        """Count the batch into the test scores; return what was forecast."""
        parameters, said = self.counted(batch, "test")
        if not self.conformal:
            return {"said": said}
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        moved = self.following(self.tracker, data.windows["test"], batch, parameters)
        self.count(self.tracked_scores, batch, Said(said.point, moved))
        return {"said": said, "tracked": moved}

    def counted(self, batch: WindowBatch, stage: str) -> tuple[Tensor, Said]:
        """Add the batch to loss and scores of ``stage``; return the parameters, and what they say then."""
        parameters = self(batch.inputs, batch.ahead)
        loss, scores = self.of_stage(stage)
        loss.update(*self.losses(parameters, batch))
        said = self.said(parameters, batch.units, adjusted=stage == "test")
        self.count(scores, batch, said)
        return parameters, said

    def count(self, scores: ForecastScores, batch: WindowBatch, said: Said) -> None:
        """Add the batch to the scores."""
        quantiles = said.quantiles if scores.levels else None
        scores.update(said.point, batch.targets, batch.valid, batch.units, quantiles=quantiles)

    def of_stage(self, stage: str) -> tuple[RunningMean, ForecastScores]:
        """Return loss and scores of ``validation`` or ``test``."""
        if stage == "test":
            return self.test_loss, self.test_scores
        return self.validation_loss, self.validation_scores

    def forget(self, stage: str) -> None:
        """Empty the scores of ``stage``; choose the windows that quantiles are adjusted by, or track anew."""
        for scores in self.of_stage(stage):
            scores.reset()
        if stage == "test":
            self.tracked_scores.reset()
            self.tracker = Tracker(self.adjustment)
            return
        self.kept = []
        if self.conformal:
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            levels = len(self.levels) if self.network.loss.has_quantiles else 1
            most = max(1, min(MOST_WINDOWS, MOST_NUMBERS // (levels * self.shifts[..., 0].numel())))
            self.chosen = torch.from_numpy(spread_over(data.size_of("validation"), most))

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training loss."""
        self.log("train/loss", self.train_loss.value_and_reset())

    def report(self, stage: str) -> None:
        """Log loss and scores of ``stage`` over all its windows; in a training, adjust the quantiles."""
        loss, scores = self.of_stage(stage)
        found = {"loss": loss.value_and_reset(), **scores.compute()}
        scores.reset()
        if stage == "test" and self.conformal:
            tracked = self.tracked_scores.compute()
            self.tracked_scores.reset()
            found |= {f"tracked_{name}": tracked[name] for name in self.tracked_scores.of_bands}
        self.log_dict({f"{stage}/{name}": value.float() for name, value in found.items()})
        if stage == "validation" and self.kept:
            self.adjust(self.trainer)

    def adjust(self, trainer: lightning.Trainer) -> None:
        """Move the quantiles by how far they missed."""
        own = tuple(torch.cat(parts).float().cpu().numpy() for parts in zip(*self.kept, strict=True))
        self.kept = []
        quantiles, truth, valid = (
            np.concatenate(parts) for parts in zip(*gathered(own, trainer), strict=True)
        )
        found = fitted(quantiles, truth, valid > 0, self.levels)
        self.shifts.copy_(torch.from_numpy(found.shifts))

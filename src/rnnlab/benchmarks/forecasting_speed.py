"""Speed of forecasters: rnnlab in the Trainer beside neuralforecast's recurrent models on the same series."""

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from rnnlab.benchmarks.child_process import PeakMemory, unseen_terminal
from rnnlab.benchmarks.settings import ENCODER, Settings, now
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.benchmarks.turns import Pass, Turn, compared, figures, take_turns
from rnnlab.errors import ConfigError
from rnnlab.tasks.forecasting.data import WindowBatch, WindowData, WindowLoader
from rnnlab.training.fit import assemble_task, prepared_data

log = logging.getLogger(__name__)

CONTESTANTS = ("trainer", "neuralforecast")
LEAST = 4  # batches of a turn
SERIES_AT_ONCE = 32  # whose windows neuralforecast draws from, if nobody says otherwise: more cost it more


class SomeWindows:
    """So many batches of a training's first epoch, cut out of the series each time; whole ones alone.

    Args:
        loader: of the training windows.
        count: batches of an iteration.
    """

    def __init__(self, loader: WindowLoader, count: int) -> None:
        whole = loader.batches.batches(0)
        self.loader, self.planned, self.count = loader, whole[:-1] or whole, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[WindowBatch]:
        return map(self.loader.batch, islice(cycle(self.planned), self.count))


class NeuralForecast:
    """neuralforecast's model of the same cell, width, look-back, horizon and loss, on the same series.

    Its decoder is one linear layer. Its loader draws a step's windows from some of the series, as many as it
    takes by itself; rnnlab's draws them from all windows of an epoch.

    Args:
        config: a training's configuration.
        data: the series.
        cell: ``rnn``, ``gru`` or ``lstm``.
        hidden_size: units.
        device: where it trains.
    """

    def __init__(
        self, config: Mapping[str, Any], data: WindowData, cell: str, hidden_size: int, device: torch.device
    ) -> None:
        self.device, self.data, self.hidden_size = device, data, hidden_size
        self.cell, self.rate = cell.upper(), config["optimizer"]["lr"]
        self.frame = frame_of(data)
        self.past, self.ahead = list(data.features.columns.past), list(data.features.ahead)

    def turn(self, steps: int) -> Turn:
        """Train so many steps."""
        import neuralforecast
        from neuralforecast import models
        from neuralforecast.losses.pytorch import MSE

        clock = step_clock(self.device)
        model = getattr(models, self.cell)(
            h=self.data.horizon,
            input_size=self.data.look_back,
            encoder_n_layers=1,
            encoder_hidden_size=self.hidden_size,
            decoder_layers=1,
            hist_exog_list=self.past,
            futr_exog_list=self.ahead,
            loss=MSE(),
            learning_rate=self.rate,
            max_steps=steps,
            batch_size=min(len(self.data.series), SERIES_AT_ONCE),
            windows_batch_size=self.data.batch_size,
            accelerator="gpu" if self.device.type == "cuda" else "cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            callbacks=[clock],
        )
        with PeakMemory(self.device) as peak, unseen_terminal(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own settings
            neuralforecast.NeuralForecast([model], freq=1).fit(self.frame)
        read = steps * self.data.batch_size * self.data.look_back
        return Turn(Pass(clock.seconds, read), None, clock.loss, peak_memory=peak.bytes)


def step_clock(device: torch.device) -> Any:
    """Return a callback of its Trainer that takes the time from the first training step to the last."""
    from pytorch_lightning.callbacks import Callback

    class StepClock(Callback):  # type: ignore[misc,unused-ignore]
        """Its base is a class of a package that need not be there."""

        seconds, loss = 0.0, float("nan")

        def __deepcopy__(self, memo: Any) -> "StepClock":
            """Stay the one that is asked afterwards: the model is copied before it is trained."""
            return self

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            """Start."""
            self.began = now(device)

        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            """Take the time."""
            self.seconds = now(device) - self.began
            self.loss = float(outputs["loss"])

    return StepClock()


def frame_of(data: WindowData) -> Any:
    """Return the training parts of all series on their scale, as neuralforecast reads them."""
    import pandas

    parts = []
    names = [*data.features.columns.past, *data.features.ahead]
    for number, its in enumerate(data.series):
        values = data.features.on_scale(its, number)[: data.corpus.borders(its).train]
        steps = {"unique_id": its.name or "series", "ds": np.arange(len(values)), "y": values[:, 0]}
        parts.append(pandas.DataFrame({**steps, **dict(zip(names, values[:, 1:].T, strict=True))}))
    return pandas.concat(parts, ignore_index=True)


def measure(config: Mapping[str, Any], settings: Settings, device: torch.device) -> list[dict[str, Any]]:
    """Measure every cell and hidden size on the corpus's training windows, steps of the look-back a second.

    Returns:
        A row for each, as plain data: what was run, each contestant's figures, and their ratio by round.

    Raises:
        ConfigError: if the other program can't do what the configuration asks for.
    """
    check_comparable(config, settings)
    data = cast(WindowData, prepared_data(config))
    if len(data.features.columns.targets) > 1:
        raise ConfigError(
            "The benchmark of forecasters takes one target: neuralforecast has a series for each. "
            f"Set data.corpus.targets={data.features.columns.targets[-1]}."
        )
    return [
        measure_row(config, settings, data, cell, size, device)
        for size in settings.hidden_sizes
        for cell in settings.cells
    ]


def check_comparable(config: Mapping[str, Any], settings: Settings) -> None:
    """Demand a model that the other one can be compared with.

    Raises:
        ConfigError: naming each key that must be otherwise.
    """
    task = config["task"]
    wrong = [f"task.{key} must be {value}" for key, value in ALIKE.items() if task[key] != value]
    wrong += [f"there is no contestant {name}" for name in settings.contestants if name not in CONTESTANTS]
    if wrong:
        raise ConfigError(f"The benchmark of forecasters has no such part: {'; '.join(wrong)}.")


ALIKE = {"decoder": "direct", "loss": "mse", "dropout": 0.0, "conformal": False}
"""Keys of the task that make it what the other program trains."""


def contestants_of(settings: Settings) -> list[str]:
    """Return who takes part; say who is not installed."""
    missing = [name for name in ("neuralforecast", "pandas") if importlib.util.find_spec(name) is None]
    if not missing or "neuralforecast" not in settings.contestants:
        return list(settings.contestants)
    lacks = " and ".join(missing)
    log.info("Without neuralforecast: this Python lacks %s (pip install neuralforecast).", lacks)
    return [name for name in settings.contestants if name != "neuralforecast"]


def measure_row(
    config: Mapping[str, Any],
    settings: Settings,
    data: WindowData,
    cell: str,
    hidden_size: int,
    device: torch.device,
) -> dict[str, Any]:
    """Measure one cell and hidden size."""
    model = {"_target_": ENCODER, "cell": cell, "hidden_size": hidden_size, "backend": settings.backend}
    config = {**config, "model": model}
    torch.manual_seed(config["seed"])
    names = contestants_of(settings)
    with tempfile.TemporaryDirectory(prefix="rnnlab-benchmark-") as folder:
        path = TrainerPath(config, assemble_task(config, data), Path(folder), device)
        loader = data.train_loader()
        turns_of: dict[str, Callable[[int], Turn]] = {
            "trainer": lambda steps: path.turn(SomeWindows(loader, steps))  # type: ignore[arg-type]
        }
        if "neuralforecast" in names:
            turns_of["neuralforecast"] = NeuralForecast(config, data, cell, hidden_size, device).turn
        steps = {name: paced(turns_of[name], settings) for name in names}
        contest = {name: partial(turns_of[name], steps[name]) for name in names}
        turns = take_turns(contest, dict.fromkeys(names, settings.repeats))
    row: dict[str, Any] = {
        **{"cell": cell, "hidden_size": hidden_size, "look_back": data.look_back, "horizon": data.horizon},
        **{"batch_size": data.batch_size, "series": len(data.series), "steps": steps},
        "versions": {name: version(name) for name in names if name != "trainer"},
        "contestants": {name: figures(had, "steps_per_second") for name, had in turns.items()},
        "times_as_fast": compared(turns),
    }
    rates = ", ".join(
        f"{name} {found['training']['steps_per_second']['median'] / 1e3:.1f}"
        for name, found in row["contestants"].items()
    )
    log.info("%s %s, thousand steps/s in training: %s", cell, hidden_size, rates)
    return row


def paced(turn: Callable[[int], Turn], settings: Settings) -> int:
    """Return how many batches make a turn, after one that pays for starts and compilations."""
    if settings.batches_per_turn is not None:
        return settings.batches_per_turn
    turn(LEAST)
    each = turn(LEAST).training.seconds / LEAST
    return max(LEAST, round(settings.turn_seconds / each))

"""Speed of recognizers: rnnlab in the Trainer beside PyTorch's modules on ``PackedSequence``."""

import logging
import tempfile
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnlab.benchmarks.language_speed import LAYERS
from rnnlab.benchmarks.reference_models import PlainLoop, plain_network
from rnnlab.benchmarks.settings import ENCODER, Settings
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.benchmarks.turns import Repeated, compared, figures, race
from rnnlab.errors import ConfigError
from rnnlab.optimization.building import build_optimizer, decayed_apart
from rnnlab.tasks.speech.batches import SpeechBatch
from rnnlab.tasks.speech.data import SpeechData
from rnnlab.training.fit import assemble_task, prepared_data

log = logging.getLogger(__name__)

CONTESTANTS = ("trainer", "packed")


class PackedRecognizer(nn.Module):
    """Recurrent layers in both directions on ``PackedSequence``, and a linear layer.

    Args:
        cell: "rnn", "gru" or "lstm".
        input_size: numbers of a step.
        hidden_size: units of each layer and direction.
        symbols: that are told, the blank among them.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int, symbols: int) -> None:
        super().__init__()
        self.network = plain_network(cell, input_size, hidden_size, LAYERS, bidirectional=True)
        self.readout = nn.Linear(2 * hidden_size, symbols)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the log probabilities ``(batch, time, symbols)`` of ``inputs (batch, time, input_size)``."""
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.network(packed)[0], batch_first=True)
        return F.log_softmax(self.readout(outputs), dim=2)


class PackedLoop(PlainLoop):
    """Trains and asks it, with nothing in the loop that the arithmetic does not need."""

    def loss(self, window: Any, state: Any) -> tuple[Tensor, None]:
        """Return the loss by unit, and no state."""
        told = self.model(window.inputs.to(self.device), window.lengths)
        units = window.target_lengths.sum()
        targets, blank = window.targets.clamp(min=0), told.shape[2] - 1
        lengths = (window.lengths, window.target_lengths)
        loss = F.ctc_loss(told.transpose(0, 1), targets, *lengths, blank=blank, reduction="sum")
        return loss / units, None

    def counted(self, window: Any) -> int:
        """Return the units of a batch."""
        return int(window.target_lengths.sum())


Contestant = TrainerPath | PackedLoop


def measure(config: Mapping[str, Any], settings: Settings, device: torch.device) -> list[dict[str, Any]]:
    """Measure every cell and hidden size, two layers in both directions, on the corpus's own recordings.

    Returns:
        A row for each, as plain data: what was run, each contestant's figures in steps a second, the seconds
        of a step, and the ratio of their rates by round.

    Raises:
        ConfigError: if the plain model lacks what the configuration asks for.
    """
    wrong = [f"task.{name} must be 0" for name in ("dropout", "input_dropout") if config["task"][name]]
    wrong += [f"there is no contestant {name}" for name in settings.contestants if name not in CONTESTANTS]
    if wrong:
        raise ConfigError(f"The benchmark of speech has no such part: {'; '.join(wrong)}.")
    data = cast(SpeechData, prepared_data(dict(config)))
    return [
        measure_row(config, settings, data, cell, size, device)
        for size in settings.hidden_sizes
        for cell in settings.cells
    ]


def measure_row(
    config: Mapping[str, Any],
    settings: Settings,
    data: SpeechData,
    cell: str,
    hidden_size: int,
    device: torch.device,
) -> dict[str, Any]:
    """Measure one cell and hidden size."""
    model = {"_target_": ENCODER, "cell": cell, "hidden_size": hidden_size, "layers": LAYERS}
    config = {**config, "model": {**model, "backend": settings.backend, "bidirectional": True}}
    torch.manual_seed(config["seed"])
    with tempfile.TemporaryDirectory(prefix="rnnlab-benchmark-") as folder:
        contestants = {
            name: contestant(name, config, data, Path(folder), device) for name in settings.contestants
        }
        batches, turns = race(
            {name: one.turn for name, one in contestants.items()}, partial(first_batches, data), settings
        )
    row = {
        "cell": cell,
        "hidden_size": hidden_size,
        "layers": LAYERS,
        "step_seconds": data.front_end.step_seconds,
        "tokens": batches.tokens,
        "contestants": {name: figures(had) for name, had in turns.items()},
        "times_as_fast": compared(turns),
    }
    log.info("%s %d x %d is measured.", cell, LAYERS, hidden_size)
    return row


def contestant(
    name: str, config: Mapping[str, Any], data: SpeechData, folder: Path, device: torch.device
) -> Contestant:
    """Return the contestant called ``name``, with a freshly initialized model."""
    if name == "trainer":
        return TrainerPath(config, assemble_task(dict(config), data), folder, device)
    arguments, model = data.model_arguments(), config["model"]
    sizes = (arguments["input_size"], model["hidden_size"], len(arguments["symbols"]) + 1)
    plain = PackedRecognizer(model["cell"], *sizes).to(device)
    optimizer = build_optimizer(config["optimizer"], decayed_apart(plain.parameters()))
    return PackedLoop(plain, optimizer, config["trainer"]["gradient_clip_val"], device)


def first_batches(data: SpeechData, count: int, sweeps: int = 1) -> Repeated[SpeechBatch]:
    """Return the first ``count`` training batches, or all of an epoch that has fewer."""
    return Repeated(list(islice(data.train_loader(), count)), lambda batch: int(batch.lengths.sum()), sweeps)

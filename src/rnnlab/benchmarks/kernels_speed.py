"""The recurrent layer alone: rnnlab's fused scans against PyTorch's own kernels on the same input."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from rnnlab.benchmarks.machine import matrix_multiply_rate, now
from rnnlab.benchmarks.operations import operations_per_token
from rnnlab.benchmarks.settings import Settings
from rnnlab.benchmarks.turns import Pass, Turn, paired, summary, take_turns
from rnnlab.data.collate import truncated_lengths
from rnnlab.data.sentiment_data import SentimentData
from rnnlab.errors import ConfigError
from rnnlab.models.encoder import CELLS, RecurrentEncoder
from rnnlab.training.assembly import assemble_data
from rnnlab.training.encoding_progress import encoding_progress

log = logging.getLogger(__name__)

_SECONDS = 0.3  # a turn's, for each of forward, and forward and backward

Call = Callable[[Tensor], Tensor]


class Shape(NamedTuple):
    """A batch for the layer; ``steps`` None stands for documents of the corpus, in no order of length."""

    input_size: int
    hidden_size: int
    batch: int
    steps: int | None

    @property
    def title(self) -> str:
        """The shape in one cell of a table."""
        steps = "corpus" if self.steps is None else str(self.steps)
        return f"{self.input_size}, {self.hidden_size}, {self.batch}, {steps}"


SHAPES = (
    Shape(32, 32, 128, 240),
    Shape(64, 64, 128, 240),
    Shape(100, 128, 128, 240),
    Shape(100, 128, 32, 240),
    Shape(200, 200, 20, 35),
    Shape(32, 32, 128, None),
    Shape(100, 128, 128, None),
)


def measure(config: Mapping[str, Any], settings: Settings, device: torch.device) -> list[dict[str, Any]]:
    """Measure every cell on every shape.

    Returns:
        A row for each, as plain data: for both ways of walking the layer, forward alone ("inference") and
        forward and backward ("training"), real tokens and operations a second.

    Raises:
        ConfigError: if there are no fused scans for this device.
    """
    if device.type != "cpu":
        raise ConfigError(
            f"kernels=true: the fused scans are for the CPU, not for {device}. Add trainer=cpu."
        )
    lengths = corpus_lengths(config, max(shape.batch for shape in SHAPES))
    return [measure_row(cell, shape, lengths, settings) for cell in settings.cells for shape in SHAPES]


def corpus_lengths(config: Mapping[str, Any], count: int) -> Tensor:
    """Return ``(count,)`` lengths, distributed as the corpus's training documents' are, in no order."""
    data = cast(SentimentData, assemble_data(config))
    with encoding_progress() as progress:
        data.encode(progress)
    lengths = np.sort(truncated_lengths(data.encoded.splits["train"], data.max_length))
    evenly = ((np.arange(count) + 0.5) * len(lengths) / count).astype(np.int64)
    return torch.from_numpy(np.random.default_rng(config["seed"]).permutation(lengths[evenly]))


def measure_row(cell: str, shape: Shape, lengths: Tensor, settings: Settings) -> dict[str, Any]:
    """Measure one cell on one shape."""
    torch.manual_seed(0)
    if shape.steps is not None:
        lengths = torch.full((shape.batch,), shape.steps)
    inputs = torch.randn(len(lengths), int(lengths.max()), shape.input_size, requires_grad=True)
    tokens = int(lengths.sum())
    encoder = RecurrentEncoder(shape.input_size, cell, shape.hidden_size, backend="fused")
    plain = CELLS[cell](shape.input_size, shape.hidden_size, batch_first=True)
    plain.load_state_dict(encoder.plain_state_dict())
    ways: dict[str, Call] = {
        "torch": lambda given: plain(given)[0],
        "fused": lambda given: encoder(given, lengths)[0],
    }
    contestants = {name: partial(turn, way, inputs, tokens) for name, way in ways.items()}
    for contestant in contestants.values():
        contestant()  # pays for compilation
    machine = matrix_multiply_rate(inputs.device)
    turns = take_turns(contestants, dict.fromkeys(contestants, settings.repeats))
    row = {
        "cell": cell,
        "shape": shape.title,
        **shape._asdict(),
        "tokens": tokens,
        "matrix_multiply_rate": machine,
        **{stage: figures(turns, stage, cell, shape, machine) for stage in ("inference", "training")},
    }
    log.info(
        "%s (%s): %.2f times as fast as torch", cell, shape.title, row["training"]["times_as_fast"]["median"]
    )
    return row


def turn(way: Call, inputs: Tensor, tokens: int) -> Turn:
    """Walk forward for a while, then forward and backward."""
    with torch.no_grad():
        inference = repeated(lambda: way(inputs), tokens)
    with torch.no_grad():
        gradient = torch.randn_like(way(inputs))

    def both() -> None:
        inputs.grad = None
        torch.autograd.backward(way(inputs), gradient)

    return Turn(training=repeated(both, tokens), inference=inference, loss=0.0)


def repeated(work: Callable[[], Any], tokens: int) -> Pass:
    """Do the work again and again for a while."""
    device = torch.device("cpu")
    count, began = 0, now(device)
    while (elapsed := now(device) - began) < _SECONDS or not count:
        work()
        count += 1
    return Pass(elapsed, count * tokens)


def figures(
    turns: Mapping[str, list[Turn]], stage: str, cell: str, shape: Shape, machine: float
) -> dict[str, Any]:
    """Return both ways' rates, and how many times as fast the fused one is."""
    rates = {name: [getattr(turn, stage).rate for turn in had] for name, had in turns.items()}
    work = operations_per_token(cell, shape.input_size, shape.hidden_size, training=stage == "training")
    found: dict[str, Any] = {"times_as_fast": paired(rates["fused"], rates["torch"])}
    for name, values in rates.items():
        of_tokens = summary(values)
        found[name] = {
            "tokens_per_second": of_tokens,
            "operations_per_second": of_tokens["median"] * work,
            "share_of_matrix_multiply_rate": of_tokens["median"] * work / machine,
        }
    return found

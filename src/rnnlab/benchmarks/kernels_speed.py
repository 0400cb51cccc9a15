"""The recurrent layer alone: the fused scans beside PyTorch's networks, on full batches and on a corpus's.

And beside the machine's own matrix product. All are timed in turns, so that what else the machine does
meanwhile falls on all of them alike, and the figures are medians. A multiplication and an addition are two
operations; going back costs twice what going forward does. Padding counts as no work.
"""

import logging
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from rnnlab.benchmarks.settings import Settings
from rnnlab.cells import cell_named
from rnnlab.cells.cell import TorchCell
from rnnlab.data.documents import truncated_lengths
from rnnlab.tasks.sentiment.data import SentimentData
from rnnlab.training.encoding_progress import encoding_progress
from rnnlab.training.fit import assemble_data

log = logging.getLogger(__name__)

SHAPES = (
    (32, 32, 128, 240),
    (64, 64, 128, 240),
    (100, 128, 128, 240),
    (100, 128, 32, 240),
    (200, 200, 20, 35),
)
"""Input, hidden, batch, time: the sentiment networks, and language models of Penn Treebank's size."""
WITH_CORPUS_LENGTHS = ((32, 32, 128), (100, 128, 128))
"""Input, hidden, batch: documents side by side in no order of length, as without bucketing."""


@dataclass(frozen=True)
class Speed:
    """One row of the table: one layer in one direction, forwards, or forwards and back.

    Attributes:
        input_size: features of a token.
        hidden_size: units.
        batch: rows.
        time: steps of the longest row.
        tokens: of all rows, padding not counted.
        is_training: whether gradients are computed too.
        fused_tokens_per_second: of the fused scan.
        torch_tokens_per_second: of ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` on the padded batch.
        ratio: of the two, the median over the turns.
        fused_gflops: billions of operations a second of the fused scan.
        matmul_gflops: of a product of large matrices.
        matmul_share: of the two, the median over the turns.
    """

    input_size: int
    hidden_size: int
    batch: int
    time: int
    tokens: int
    is_training: bool
    fused_tokens_per_second: float
    torch_tokens_per_second: float
    ratio: float
    fused_gflops: float
    matmul_gflops: float
    matmul_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def measure(config: Mapping[str, Any], settings: Settings) -> list[dict[str, Any]]:
    """Measure every cell on full-length batches, and on batches with the lengths of the corpus.

    Returns:
        Two rows (forward; forward and backward) for each cell and shape, as plain data; see
        :class:`Speed`. ``lengths`` names the corpus where its lengths were taken.
    """
    corpus = config["data"]["name"]
    jobs: list[tuple[tuple[int, int, int, int], Tensor | None]] = [(shape, None) for shape in SHAPES]
    for input_size, hidden_size, batch in WITH_CORPUS_LENGTHS:
        lengths = corpus_lengths(config, batch)
        jobs.append(((input_size, hidden_size, batch, int(lengths.max())), lengths))
    rows = []
    for cell in settings.cells:
        named = cast(TorchCell, cell_named(cell))
        for shape, lengths_or_none in jobs:
            speeds = measure_shape(named, *shape, lengths=lengths_or_none, turns=settings.repeats)
            names = {"cell": cell, "lengths": None if lengths_or_none is None else corpus}
            rows += [{**speed.to_dict(), **names} for speed in speeds]
            log.info("%s %s: %.2f times as fast", cell, shape, speeds[-1].ratio)
    return rows


def corpus_lengths(config: Mapping[str, Any], count: int) -> Tensor:
    """Return ``(count,)`` lengths, distributed as the corpus's training documents' are, in no order."""
    data = cast(SentimentData, assemble_data(config))
    with encoding_progress() as progress:
        data.prepare(progress)
    lengths = np.sort(truncated_lengths(data.encoded.splits["train"], data.max_length))
    evenly = ((np.arange(count) + 0.5) * len(lengths) / count).astype(np.int64)
    return torch.from_numpy(np.random.default_rng(config["seed"]).permutation(lengths[evenly]))


def measure_shape(
    cell: TorchCell,
    input_size: int,
    hidden_size: int,
    batch: int,
    time_steps: int,
    lengths: Tensor | None = None,
    turns: int = 5,
) -> list[Speed]:
    """Time one shape, forwards alone and forwards and back.

    Args:
        cell: what is walked.
        input_size: features of a token.
        hidden_size: units.
        batch: rows.
        time_steps: of the padded batch.
        lengths: ``(batch,)``; None means that all rows fill the time axis. PyTorch's network runs over the
            whole padded batch, which is the fastest that it offers (``PackedSequence`` is slower).
        turns: how often each is timed.
    """
    # Here, and not above: every other benchmark does without compiling them.
    from rnnlab.kernels.scans import FusedScans, kernels_named

    network = cell.torch_module(input_size, hidden_size, batch_first=True)
    inputs = torch.randn(batch, time_steps, input_size, requires_grad=True)
    slope = torch.randn(batch, time_steps, hidden_size)
    state = (torch.zeros(1, batch, hidden_size),) * len(cell.states)
    weights = dict(zip(cell.parameters(input_size, hidden_size), network.all_weights[0], strict=True))
    tokens = batch * time_steps if lengths is None else int(lengths.sum())
    flops = cell.operations_per_token(input_size, hidden_size) * tokens

    def fused() -> Tensor:
        scans = FusedScans(kernels_named(str(cell.fused)), lengths, inputs)
        outputs: Tensor = scans.scan(inputs, state, weights, reverse=False)[0]
        return outputs

    def torch_network() -> Tensor:
        outputs: Tensor = network(inputs)[0]
        return outputs

    def inference(run: Callable[[], Tensor]) -> Callable[[], None]:
        def work() -> None:
            with torch.no_grad():
                run()

        return work

    def training(run: Callable[[], Tensor]) -> Callable[[], None]:
        return lambda: torch.autograd.backward(run(), slope)

    speeds = []
    for is_training, mode, work in ((False, inference, flops), (True, training, 3 * flops)):
        fused_seconds, torch_seconds, product_gflops = _in_turns(mode(fused), mode(torch_network), turns)
        gflops = [work / seconds / 1e9 for seconds in fused_seconds]
        speeds.append(
            Speed(
                input_size,
                hidden_size,
                batch,
                time_steps,
                tokens,
                is_training,
                fused_tokens_per_second=tokens / statistics.median(fused_seconds),
                torch_tokens_per_second=tokens / statistics.median(torch_seconds),
                ratio=statistics.median(b / a for a, b in zip(fused_seconds, torch_seconds, strict=True)),
                fused_gflops=statistics.median(gflops),
                matmul_gflops=statistics.median(product_gflops),
                matmul_share=statistics.median(a / b for a, b in zip(gflops, product_gflops, strict=True)),
            )
        )
    return speeds


def _in_turns(
    fused: Callable[[], None], torch_network: Callable[[], None], turns: int
) -> tuple[list[float], list[float], list[float]]:
    """Return seconds of both and the matrix product's GFLOP/s, turn by turn; the first turn only warms up."""
    size = 1024
    left, right = torch.randn(size, size), torch.randn(size, size)
    fused_seconds, torch_seconds, gflops = [], [], []
    for turn in range(turns + 1):
        seconds = [_seconds(fused), _seconds(torch_network), _seconds(lambda: left @ right)]
        if turn > 0:
            fused_seconds.append(seconds[0])
            torch_seconds.append(seconds[1])
            gflops.append(2 * size**3 / seconds[2] / 1e9)
    return fused_seconds, torch_seconds, gflops


def _seconds(work: Callable[[], object]) -> float:
    """Return the mean time of as many calls as fill 20 ms."""
    started, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - started < 0.02:
        work()
        calls += 1
    return (time.perf_counter() - started) / calls

"""The recurrent layer alone: the fused scans on full batches and on a corpus's lengths, and what bounds them.

Beside RNN, GRU and LSTM run PyTorch's networks, beside an elementwise cell the fused GRU of the same sizes,
and beside all of them the machine's own matrix product and its own copying of memory. All are timed in turns,
so that what else the machine does meanwhile falls on all of them alike, and the figures are medians. A
multiplication and an addition are two operations; going back costs twice what going forward does. Padding
counts as no work.
"""

import logging
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from rnnlab.benchmarks.settings import Settings, seconds_a_call
from rnnlab.cells.cell import ElementwiseCell
from rnnlab.data.documents import truncated_lengths
from rnnlab.encoder.backends import kernels_named
from rnnlab.encoder.recurrent import Direction, RecurrentEncoder
from rnnlab.tasks.sentiment.data import SentimentData
from rnnlab.training.fit import prepared_data

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


BESIDE_ELEMENTWISE = "gru"
COPIED = 2**24
"""Numbers that are copied to see how fast memory is: 64 MB, which no cache holds."""
LOOK = 0.02  # seconds that a run fills with calls when it is its turn


def measure(config: Mapping[str, Any], settings: Settings) -> list[dict[str, Any]]:
    """Measure every cell on full-length batches, and on batches with the lengths of the corpus.

    Returns:
        Two rows (forward; forward and backward) for each cell and shape, as :func:`measure_shape` makes them;
        ``lengths`` names the corpus where its lengths were taken.
    """
    corpus = config["data"]["name"]
    jobs: list[tuple[tuple[int, int, int, int], Tensor | None]] = [(shape, None) for shape in SHAPES]
    for input_size, hidden_size, batch in WITH_CORPUS_LENGTHS:
        lengths = corpus_lengths(config, batch)
        jobs.append(((input_size, hidden_size, batch, int(lengths.max())), lengths))
    rows = []
    for cell in settings.cells:
        for shape, lengths_or_none in jobs:
            speeds = measure_shape(cell, *shape, lengths=lengths_or_none, turns=settings.repeats)
            names = {"cell": cell, "lengths": None if lengths_or_none is None else corpus}
            rows += [{**speed, **names} for speed in speeds]
            last = speeds[-1]
            log.info("%s %s: %.2f times as fast as %s", cell, shape, last["ratio"], last["beside"])
    return rows


def corpus_lengths(config: Mapping[str, Any], count: int) -> Tensor:
    """Return ``(count,)`` lengths, distributed as the corpus's training documents' are, in no order."""
    data = cast(SentimentData, prepared_data(config))
    lengths = np.sort(truncated_lengths(data.encoded.splits["train"], data.max_length))
    evenly = ((np.arange(count) + 0.5) * len(lengths) / count).astype(np.int64)
    return torch.from_numpy(np.random.default_rng(config["seed"]).permutation(lengths[evenly]))


def measure_shape(
    cell: str,
    input_size: int,
    hidden_size: int,
    batch: int,
    time_steps: int,
    lengths: Tensor | None = None,
    turns: int = 5,
) -> list[dict[str, Any]]:
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

    Returns:
        Plain data: the sizes, ``tokens`` (padding not counted), what the fused scan is ``beside`` ("torch":
        ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``; or "gru", the fused one), both rates and their ``ratio``,
        billions of operations a second of its products and of a product of large matrices, and shares of the
        time, medians over the turns: ``matmul_share``, and of an elementwise cell ``memory_share``, that of
        moving ``bytes_per_token`` (see :func:`numbers_per_token`) at the speed of a large copy, None of
        others, whose states stay in the caches. ``bound`` names the largest.
    """
    encoder = RecurrentEncoder(input_size, cell, hidden_size, backend="fused")
    other = RecurrentEncoder(input_size, BESIDE_ELEMENTWISE, hidden_size, backend="fused")
    inputs = torch.randn(batch, time_steps, input_size, requires_grad=True)
    slope = torch.randn(batch, time_steps, encoder.output_size)
    tokens = batch * time_steps if lengths is None else int(lengths.sum())
    in_torch = encoder.cell.in_torch is not None
    runs: list[Callable[[], Tensor]] = [
        lambda: encoder(inputs, lengths)[0],
        (lambda: encoder.network(inputs)[0]) if in_torch else (lambda: other(inputs, lengths)[0]),
    ]
    speeds = []
    for is_training in (False, True):
        turned = _in_turns([_whole(run, slope if is_training else None) for run in runs], turns)
        operations = encoder.cell.operations_per_token(input_size, hidden_size) * (3 if is_training else 1)
        numbers = numbers_per_token(encoder.stack()[0][0], input_size, is_training)
        gflops = [operations * tokens / turn.fused / 1e9 for turn in turned]
        products = [2 * PRODUCT**3 / turn.product / 1e9 for turn in turned]
        moved = [numbers * tokens / turn.fused * turn.copy / (2 * COPIED) for turn in turned if numbers]
        matmul_share = statistics.median(a / b for a, b in zip(gflops, products, strict=True))
        memory_share = statistics.median(moved) if moved else None
        speeds.append(
            {
                **{"input_size": input_size, "hidden_size": hidden_size, "batch": batch, "time": time_steps},
                **{"tokens": tokens, "is_training": is_training},
                "beside": "torch" if in_torch else BESIDE_ELEMENTWISE,
                "fused_tokens_per_second": tokens / statistics.median(turn.fused for turn in turned),
                "other_tokens_per_second": tokens / statistics.median(turn.other for turn in turned),
                "ratio": statistics.median(turn.other / turn.fused for turn in turned),
                "fused_gflops": statistics.median(gflops),
                "matmul_gflops": statistics.median(products),
                "matmul_share": matmul_share,
                "bytes_per_token": inputs.element_size() * numbers if numbers else None,
                "memory_share": memory_share,
                "bound": bound(matmul_share, memory_share),
            }
        )
    return speeds


def bound(matmul_share: float, memory_share: float | None) -> str:
    """Return where most of the time goes: to products, to memory, or to the rest, gates above all.

    >>> bound(0.6, None), bound(0.3, 0.4), bound(0.3, 0.2)
    ('products', 'memory', 'gates')
    """
    shares = {"products": matmul_share, "memory": memory_share or 0.0}
    shares["gates"] = 1 - sum(shares.values())
    return max(shares, key=lambda name: shares[name])


def numbers_per_token(direction: Direction, input_size: int, is_training: bool) -> int | None:
    """Return how many numbers a token's walk through an elementwise layer moves at least; None for others.

    Each array is as large as all tokens, so no cache keeps it from one pass to the next. With the product's
    width w, state s, inputs x and output y: forwards x is read, w written and read once more, s written;
    going back the slope of y, w and s are read, the slope of w is written and read by two products, one of
    which reads x while the other writes its slope. Where the gates are not in the scan, s is read once more
    to make y; going back its slope is written and read for that, and s is read twice, but w is not.
    """
    cell, units, weights = direction
    if not isinstance(cell, ElementwiseCell):
        return None
    kernels = kernels_named(str(cell.fused))
    width = cell.project(torch.zeros(1, 1, input_size), weights).shape[-1]
    state, output = cell.state_sizes(units)[0], cell.output_size(units)
    forwards = input_size + 2 * width + state + (0 if kernels.has_gates else state + output)
    if not is_training:
        return forwards
    kept = 0 if kernels.reads_state else state
    in_scan = state + 4 * width if kernels.has_gates else 4 * state + 3 * width
    return forwards + kept + output + in_scan + 2 * input_size


class _Turn(NamedTuple):
    """Seconds of each in one turn."""

    fused: float
    other: float
    product: float
    copy: float


PRODUCT = 1024
"""Rows and columns of the matrices that are multiplied to see how fast the machine is."""


def _whole(run: Callable[[], Tensor], slope: Tensor | None) -> Callable[[], None]:
    """Return what is timed: with a slope of the outputs backwards too."""

    def inference() -> None:
        with torch.no_grad():
            run()

    return inference if slope is None else lambda: torch.autograd.backward(run(), slope)


def _in_turns(runs: Sequence[Callable[[], None]], turns: int) -> list[_Turn]:
    """Return the seconds of both runs, of a product and of a copy, turn by turn; the first only warms up."""
    left, right = torch.randn(PRODUCT, PRODUCT), torch.randn(PRODUCT, PRODUCT)
    source, target = torch.zeros(COPIED), torch.zeros(COPIED)
    every = [*runs, lambda: left @ right, lambda: target.copy_(source)]
    cpu = torch.device("cpu")
    return [_Turn(*(seconds_a_call(work, LOOK, cpu) for work in every)) for _ in range(turns + 1)][1:]

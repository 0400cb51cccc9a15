"""The recurrent layer alone: the fused scans beside PyTorch's networks, on full batches and on a corpus's."""

import logging
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from rnnlab.benchmarks.settings import Settings
from rnnlab.data.documents import truncated_lengths
from rnnlab.tasks.sentiment.data import SentimentData
from rnnlab.training.encoding_progress import encoding_progress
from rnnlab.training.fit import assemble_data

log = logging.getLogger(__name__)

WITH_CORPUS_LENGTHS = ((32, 32, 128), (100, 128, 128))
"""Input, hidden, batch: documents side by side in no order of length, as without bucketing."""


def measure(config: Mapping[str, Any], settings: Settings) -> list[dict[str, Any]]:
    """Measure every cell on full-length batches, and on batches with the lengths of the corpus.

    Returns:
        Two rows (forward; forward and backward) for each cell and shape, as plain data; see
        :class:`rnnlab.kernels.measure.Speed`. ``lengths`` names the corpus where its lengths were taken.
    """
    # Here, and not above: every other benchmark does without compiling them.
    from rnnlab.kernels.measure import SHAPES
    from rnnlab.kernels.measure import measure as measure_shape

    corpus = config["data"]["name"]
    jobs: list[tuple[tuple[int, int, int, int], Tensor | None]] = [(shape, None) for shape in SHAPES]
    for input_size, hidden_size, batch in WITH_CORPUS_LENGTHS:
        lengths = corpus_lengths(config, batch)
        jobs.append(((input_size, hidden_size, batch, int(lengths.max())), lengths))
    rows = []
    for cell in settings.cells:
        for shape, lengths_or_none in jobs:
            speeds = measure_shape(
                "tanh" if cell == "rnn" else cell, *shape, lengths=lengths_or_none, turns=settings.repeats
            )
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

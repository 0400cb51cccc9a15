import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.benchmarks.benchmark import benchmark
from rnnlab.benchmarks.kernels_speed import SHAPES, measure_shape
from tests.benchmarks.composed import composed
from tests.benchmarks.tiny_imdb import REVIEWS, write_archive


def test_kernels_are_measured_on_full_batches_and_on_the_corpuss_lengths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rnnlab.corpora.imdb.Imdb.reviews_per_folder", REVIEWS)
    write_archive(tmp_path / "data")
    asked: list[tuple[Any, ...]] = []

    def measured(
        cell: str, inputs: int, hidden: int, batch: int, time: int, lengths: Tensor | None, turns: int
    ) -> list[dict[str, Any]]:
        asked.append((cell, inputs, hidden, batch, time, lengths, turns))
        sizes = {"input_size": inputs, "hidden_size": hidden, "batch": batch, "time": time}
        rates = {"beside": "torch", "fused_tokens_per_second": 2e6, "ratio": 2.0, "matmul_share": 0.5}
        found = {**sizes, **rates, "memory_share": 0.25, "bound": "products"}
        return [{**found, "is_training": training} for training in (False, True)]

    monkeypatch.setattr("rnnlab.benchmarks.kernels_speed.measure_shape", measured)
    with composed("kernels=true", "cells=[rnn,lstm]", "repeats=2") as config:
        benchmark(config, tmp_path / "run")

    assert [shape[0] for shape in asked] == ["rnn"] * (len(SHAPES) + 2) + ["lstm"] * (len(SHAPES) + 2)
    assert {shape[-1] for shape in asked} == {2}
    for _, _, _, batch, time, lengths, _ in asked[len(SHAPES) : len(SHAPES) + 2]:
        assert lengths.shape == (batch,)
        assert 1 <= lengths.min() < lengths.max() == time
        assert lengths.tolist() != sorted(lengths.tolist())
    rows = json.loads((tmp_path / "run" / "benchmark.json").read_text())["kernels"]
    assert len(rows) == 2 * len(asked)
    assert {row["cell"] for row in rows} == {"rnn", "lstm"}
    assert {row["lengths"] for row in rows} == {None, "imdb"}
    seen = capsys.readouterr().out
    for words in (
        "Forward and backward",
        "100, 128, 32, 240",
        "of imdb",
        "2.00",
        "50 %",
        "25 %",
        "2.00 torch",
        "products",
    ):
        assert words in seen


@pytest.mark.parametrize(
    ("cell", "beside", "forwards", "back"),
    [
        ("gru", "torch", None, None),
        ("mingru", "gru", 3 + 2 * 8 + 4, 4 + 4 + 8 + 3 * 8 + 2 * 3),
        ("qrnn", "gru", 3 + 2 * 12 + 4, 4 + 4 + 4 + 12 + 3 * 12 + 2 * 3),  # it keeps its state, too
        ("lru", "gru", 3 + 2 * 12 + 8 + 8 + 4, 4 + 4 * 8 + 3 * 12 + 2 * 3),
    ],
)
def test_a_measurement_is_one_of_each_pass(
    cell: str, beside: str, forwards: int | None, back: int | None
) -> None:
    speeds = measure_shape(cell, 3, 4, 2, 5, lengths=torch.tensor([5, 2]), turns=1)
    assert [speed["is_training"] for speed in speeds] == [False, True]
    rates = ("fused_tokens_per_second", "other_tokens_per_second", "ratio", "fused_gflops", "matmul_gflops")
    for speed in speeds:
        assert (speed["tokens"], speed["beside"]) == (7, beside)
        assert all(speed[rate] > 0 for rate in (*rates, "matmul_share"))
        assert (speed["memory_share"] is None) == (forwards is None)
    moved = [None, None] if forwards is None or back is None else [4 * forwards, 4 * (forwards + back)]
    assert [speed["bytes_per_token"] for speed in speeds] == moved

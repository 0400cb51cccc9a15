import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnlab.benchmarks.benchmark import benchmark
from rnnlab.benchmarks.kernels_speed import SHAPES, Speed, measure_shape
from rnnlab.cells.cell import TorchCell
from rnnlab.cells.gru import Gru
from tests.benchmarks.composed import composed
from tests.benchmarks.tiny_imdb import REVIEWS, write_archive


def test_kernels_are_measured_on_full_batches_and_on_the_corpuss_lengths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rnnlab.corpora.imdb.Imdb.reviews_per_folder", REVIEWS)
    write_archive(tmp_path / "data")
    asked: list[tuple[Any, ...]] = []

    def measured(
        cell: TorchCell, inputs: int, hidden: int, batch: int, time: int, lengths: Tensor | None, turns: int
    ) -> list[Speed]:
        asked.append((cell.name, inputs, hidden, batch, time, lengths, turns))
        rates = (2e6, 1e6, 2.0, 50.0, 100.0, 0.5)
        return [Speed(inputs, hidden, batch, time, 1, training, *rates) for training in (False, True)]

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
    for words in ("Forward and backward", "100, 128, 32, 240", "of imdb", "2.00", "50 %"):
        assert words in seen


def test_a_measurement_is_one_of_each_pass() -> None:
    speeds = measure_shape(Gru(), 3, 4, 2, 5, lengths=torch.tensor([5, 2]), turns=1)
    assert [speed.is_training for speed in speeds] == [False, True]
    for speed in speeds:
        assert speed.tokens == 7
        assert all(value > 0 for key, value in speed.to_dict().items() if key != "is_training")

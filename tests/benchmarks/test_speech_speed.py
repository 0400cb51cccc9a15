"""PyTorch's module on PackedSequence and the Trainer train the same recognizer: their times compare."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.benchmarks.benchmark import benchmark
from rnnlab.benchmarks.speech_speed import PackedLoop, contestant, first_batches
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.errors import ConfigError
from rnnlab.training.fit import assemble_data
from tests.benchmarks.composed import composed

WORDS = [
    *("task=speech", "data=touch_tones", "data.corpus.train=24", "data.corpus.validation=2"),
    *("data.corpus.test=2", "data.corpus.longest=2", "tokenizer=whitespace", "batches.features.bands=20"),
    *("batches.batch_size=8", "hidden_sizes=[4]", "repeats=2", "batches_per_turn=3", "trainer=cpu"),
    *("backend=torch", "scheduler=none"),
]


def test_both_take_the_same_steps(tmp_path: Path) -> None:
    encoder = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "cell": "gru", "hidden_size": 4}
    with composed(*WORDS) as found:
        model = {**encoder, "layers": 2, "bidirectional": True, "backend": "torch"}
        config: dict[str, Any] = {**found, "model": model}
    data = assemble_data(config)
    data.prepare()
    ours, plain = (
        contestant(name, config, data, tmp_path, torch.device("cpu"))  # type: ignore[arg-type]
        for name in ("trainer", "packed")
    )
    assert isinstance(ours, TrainerPath)
    assert isinstance(plain, PackedLoop)
    encoded = ours.task.encoder.network.state_dict()  # type: ignore[operator, union-attr]
    plain.model.network.load_state_dict(encoded)  # type: ignore[union-attr]
    plain.model.readout.load_state_dict(ours.task.readout.state_dict())  # type: ignore[union-attr]
    batches = first_batches(data, 3, sweeps=2)  # type: ignore[arg-type]
    turns = [one.turn(batches) for one in (ours, plain)]
    assert turns[0].training.tokens == turns[1].training.tokens == batches.tokens > 0
    assert turns[0].loss == pytest.approx(turns[1].loss, rel=1e-4)
    torch.testing.assert_close(ours.task.readout.weight, plain.model.readout.weight, atol=1e-4, rtol=1e-3)  # type: ignore[union-attr]


def test_hours_of_sound_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with composed(*WORDS) as config:
        benchmark(config, tmp_path / "run")
    (row,) = json.loads((tmp_path / "run" / "benchmark.json").read_text())["speech"]
    assert set(row["contestants"]) == {"trainer", "packed"}
    assert len(row["times_as_fast"]["inference"]["packed"]["values"]) == 2
    shown = capsys.readouterr().out
    assert "hours of sound a second" in shown
    assert "MiB: peak resident set" in shown
    assert "matmul" not in shown  # there is no such column to explain


def test_what_the_plain_model_lacks_is_refused(tmp_path: Path) -> None:
    with (
        composed(*WORDS, "task.dropout=0.1", "contestants=[trainer,bare]") as config,
        pytest.raises(ConfigError, match=r"task\.dropout must be 0; there is no contestant bare"),
    ):
        benchmark(config, tmp_path / "run")

"""The plain loop and the Trainer train the same language model, so that their times can be compared."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.benchmarks.benchmark import benchmark
from rnnlab.benchmarks.language_speed import check_comparable, contestant, first_windows
from rnnlab.benchmarks.reference_models import PlainLoop
from rnnlab.benchmarks.settings import Settings
from rnnlab.benchmarks.trainer_path import TrainerPath
from rnnlab.errors import ConfigError
from rnnlab.training.fit import assemble_data
from tests.benchmarks.composed import composed

CPU = torch.device("cpu")
ENCODER = {
    "_target_": "rnnlab.encoder.recurrent.RecurrentEncoder",
    "hidden_size": 6,
    "layers": 2,
    "backend": "torch",
}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    text = tmp_path / "roses.txt"
    text.write_text("\n".join(["the rose is red", "the violet is blue", "sugar is sweet"] * 100))
    return [
        *("task=language_model", "data=text", f"data.corpus.train={text}", "tokenizer=whitespace"),
        *("batches.batch_size=4", "batches.bptt=5", "hidden_sizes=[6]", "repeats=2", "batches_per_turn=3"),
        *("trainer=cpu", "backend=torch", "scheduler=none", "optimizer=sgd"),
    ]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("tied", [True, False])
def test_plain_loop_and_trainer_reach_the_same_weights(
    cell: str, tied: bool, words: list[str], tmp_path: Path
) -> None:
    with composed(*words, f"task.tie_weights={tied}") as found:
        config: dict[str, Any] = {**found, "model": {**ENCODER, "cell": cell}}
    config["task"]["embedding_size"] = 6
    data = assemble_data(config)
    data.prepare()
    windows = first_windows(data, 4, sweeps=2)  # type: ignore[arg-type]
    ours, plain = (
        contestant(name, config, data, tmp_path, CPU)  # type: ignore[arg-type]
        for name in ("trainer", "bare")
    )
    assert isinstance(ours, TrainerPath)
    assert isinstance(plain, PlainLoop)
    parts = [(name, getattr(ours.task, name)) for name in ("embedding", "decoder")]
    plain.model.load_state_dict(
        {f"{part}.{name}": value for part, module in parts for name, value in module.state_dict().items()}
        | {f"network.{name}": value for name, value in ours.task.encoder.network.state_dict().items()}  # type: ignore[operator, union-attr]
    )
    turns = [one.turn(windows) for one in (ours, plain)]
    assert turns[0].training.tokens == turns[1].training.tokens == 2 * 4 * 20
    assert turns[0].inference is not None
    assert turns[0].inference.tokens == 2 * 4 * 20
    assert turns[0].loss == pytest.approx(turns[1].loss, rel=1e-5)
    for name, value in plain.model.network.named_parameters():
        torch.testing.assert_close(ours.task.get_parameter(f"encoder.network.{name}"), value)
    torch.testing.assert_close(ours.task.get_parameter("decoder.weight"), plain.model.decoder.weight)


@pytest.mark.parametrize("head", ["full", pytest.param("adaptive", marks=pytest.mark.thorough)])
def test_whole_benchmark(
    head: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with composed(*words, f"task.head={head}", "task.cutoffs=[4]") as config:
        benchmark(config, tmp_path / "run")
    (row,) = json.loads((tmp_path / "run" / "benchmark.json").read_text())["language_model"]
    assert (row["cell"], row["layers"], row["hidden_size"], row["head"]) == ("lstm", 2, 6, head)
    for found in row["contestants"].values():
        assert len(found["training"]["tokens_per_second"]["values"]) == 2
    assert len(row["times_as_fast"]["training"]["bare"]["values"]) == 2
    seen = capsys.readouterr().out
    assert f"Trainer, {head}" in seen
    assert "bare loop, full" in seen
    assert "Chart" not in seen


def test_what_the_plain_model_lacks_is_refused(words: list[str]) -> None:
    lacking = r"task\.input_dropout must be 0; there is no contestant packed"
    with (
        composed(*words, "task.input_dropout=0.1", "contestants=[trainer,packed]") as config,
        pytest.raises(ConfigError, match=lacking),
    ):
        check_comparable(config, Settings.of(config))

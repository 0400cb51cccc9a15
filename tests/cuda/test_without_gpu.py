"""What a GPU's run leaves behind is read where there is none, and what needs one is refused."""

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from rnnlab.benchmarks import made_up
from rnnlab.benchmarks.made_up import MadeUp, encoder
from rnnlab.errors import ConfigError
from rnnlab.files.checkpoint_file import CHECKPOINT_FORMAT, read_checkpoint
from rnnlab.training.checkpoints import RandomStates
from rnnlab.training.hardware import accelerator_of, check_accelerator

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
# Not LSTM: oneDNN's takes no narrow numbers on a CPU without units for them, and a run is told so.
PLAIN: dict[str, Callable[[], MadeUp]] = {
    "sentiment": lambda: made_up.sentiment(encoder(bidirectional=True), dropout=0.0),
    "language_model": lambda: made_up.language_model(encoder()),
    "memory": lambda: made_up.memory(encoder("rnn")),
    "forecasting": lambda: made_up.forecaster(encoder("qrnn", backend="torch"), loss="gaussian"),
    "speech": lambda: made_up.speech(encoder()),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
@pytest.mark.parametrize("name", PLAIN)
def test_each_task_trains_in_mixed_precision(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    task, batch = PLAIN[name]()
    losses = []
    for enabled in (False, True):
        task.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            loss = task.training_step(batch, 0)
        torch.autograd.backward(loss)
        losses.append(loss.item())
        for parameter in task.parameters():
            assert parameter.grad is not None
            assert parameter.grad.dtype == torch.float32
            assert parameter.grad.isfinite().all()
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_a_checkpoint_of_a_gpu_is_read_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _ = PLAIN["language_model"]()
    content = {
        **{
            "state_dict": task.state_dict(),
            "epoch": 1,
            "global_step": 3,
            "carried_state": (torch.ones(1, 2, 4),),
        },
        "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": []}],
        "rnnlab": {"format": CHECKPOINT_FORMAT, "config": {}},
    }
    path = tmp_path / "of_a_gpu.ckpt"
    with monkeypatch.context() as patch:  # as if each tensor had been on the first GPU
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save(content, path)
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(path, weights_only=True)
    read = read_checkpoint(path)
    assert all(tensor.device.type == "cpu" for tensor in read["state_dict"].values())
    assert torch.equal(read["carried_state"][0], torch.ones(1, 2, 4))
    task.load_state_dict(read["state_dict"])


@without_gpu
def test_random_states_of_a_gpu_are_told_where_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    states = RandomStates().state_dict() | {"cuda": torch.zeros(16, dtype=torch.uint8)}
    expected = (random.random(), np.random.random(), torch.rand(1))
    resumed = RandomStates()
    resumed.load_state_dict(states)
    resumed.on_train_start(cast(Any, None), cast(Any, SimpleNamespace(device=torch.device("cpu"))))
    assert (random.random(), np.random.random(), torch.rand(1)) == expected
    assert "there is no GPU here" in caplog.text


@without_gpu
@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
def test_a_gpu_that_is_not_there_is_refused(accelerator: str) -> None:
    with pytest.raises(ConfigError, match="no CUDA GPU here"):
        check_accelerator(accelerator)
    assert accelerator_of("auto") == "cpu"

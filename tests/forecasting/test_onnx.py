"""A forecaster as ONNX says what PyTorch says, whatever it is made of."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.errors import ConfigError
from rnnlab.tasks.forecasting.exports import answers_of
from rnnlab.tasks.forecasting.task import Forecaster

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from rnnlab.tasks.exports import OnnxAnswers, layers_named  # noqa: E402
from rnnlab.tasks.forecasting.onnx import ForecastGraph  # noqa: E402

ENCODER = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "hidden_size": 6, "backend": "torch"}


def forecaster(cell: str = "gru", **options: Any) -> Forecaster:
    torch.manual_seed(1)
    encoder = {**ENCODER, "cell": cell, **options.pop("model", {})}
    sizes: dict[str, Any] = {"look_back": 12, "horizon": 7, "targets": ["a", "b"], "segment": 4}
    made = Forecaster(model=encoder, **{**sizes, "embedding_size": 10, **options}).eval()
    made.shifts.copy_(torch.randn(made.shifts.shape))
    return made


@pytest.mark.parametrize("scaling", ["none", "standard", "last", "revin"])
@pytest.mark.parametrize(
    "options",
    [
        {
            "loss": "quantile",
            "quantiles": [0.1, 0.3, 0.5, 0.9],
            "model": {"bidirectional": True, "layers": 2},
        },
        {"loss": "gaussian", "decoder": "segments", "cell": "lstm", "model": {"layers": 2}},
        {"loss": "mse", "decoder": "segments", "past": ["c"], "ahead": ["d", "e"], "marks": True},
        {"loss": "huber", "cell": "rnn", "ahead": ["d"], "marks": True, "conformal": False},
        {"loss": "student_t", "cell": "lstm"},
    ],
)
def test_it_says_what_pytorch_says(options: dict[str, Any], scaling: str, tmp_path: Path) -> None:
    task = forecaster(**options, scaling=scaling)
    if scaling == "revin":
        torch.nn.init.normal_(task.network.window_scaling.log_gain)
        torch.nn.init.normal_(task.network.window_scaling.offset)
    file = tmp_path / "model.onnx"
    file.write_bytes(ForecastGraph(task, layers_named("onnx")).model().SerializeToString())
    shape = task.network.decoder.shape
    inputs, ahead = torch.randn(5, 12, shape.columns), torch.randn(5, 7, shape.ahead)
    feed = {"inputs": inputs, "ahead": ahead} if shape.ahead else {"inputs": inputs}
    found, expected = OnnxAnswers(file).run(feed), answers_of(task, inputs, ahead)
    assert len(found) == (1 if options["loss"] in ("student_t", "huber") else 2)
    for theirs, ours in zip(found, expected, strict=False):
        assert theirs == pytest.approx(ours, abs=1e-5)


def test_what_cannot_be_written_is_refused() -> None:
    for options in ({"decoder": "recursive"}, {"decoder": "segments", "model": {"bidirectional": True}}):
        with pytest.raises(ConfigError, match=r"only task\.decoder=direct, and segments"):
            ForecastGraph(forecaster(**options), layers_named("onnx")).model()

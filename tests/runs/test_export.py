"""What is exported computes what PyTorch computes, and is usable without rnnlab."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import rnnlab
from rnnlab.errors import ConfigError, RunError
from rnnlab.models.pooling import POOLINGS
from rnnlab.models.sentiment import SentimentClassifier
from rnnlab.runs import export as exporting
from tests.runs.conftest import Finished

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

ENCODERS = [
    {"cell": "rnn"},
    {"cell": "rnn", "nonlinearity": "relu", "bidirectional": True},
    {"cell": "gru", "layers": 2},
    {"cell": "gru", "bidirectional": True},
    {"cell": "lstm"},
    {"cell": "lstm", "layers": 2, "bidirectional": True},
]


def network(encoder: dict[str, object], pooling: str, classes: int) -> SentimentClassifier:
    torch.manual_seed(3)
    model = {"_target_": "rnnlab.models.encoder.RecurrentEncoder", "hidden_size": 5, **encoder}
    labels = [f"class{i}" for i in range(classes)]
    task = SentimentClassifier(
        model=model, vocabulary_size=30, labels=labels, embedding_size=4, pooling=pooling
    ).eval()
    with torch.no_grad():
        task.embedding.weight.mul_(20)  # so that every word counts
    return task


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_cell_and_pooling_is_exact_under_padding(encoder: dict[str, object], pooling: str) -> None:
    from rnnlab.runs.onnx_graph import onnx_model

    for classes in (2, 3):
        task = network(encoder, pooling, classes)
        session = onnxruntime.InferenceSession(onnx_model(task, pooling).SerializeToString())
        for lengths in ([7, 1, 4], [3], [12, 12]):
            tokens = torch.randint(30, (len(lengths), max(lengths) + 2))  # the padding holds anything
            feed = {"tokens": tokens.numpy(), "lengths": np.array(lengths)}
            logits, probabilities = session.run(["logits", "probabilities"], feed)
            with torch.inference_mode():
                expected = task(tokens, torch.tensor(lengths))
            np.testing.assert_allclose(logits, expected.numpy(), atol=1e-5)
            np.testing.assert_allclose(probabilities, task.probabilities(expected).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["sentiment", "three_classes"])
def test_an_export_answers_without_rnnlab(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run: Finished = request.getfixturevalue(name)
    assert exporting.export(str(run.folder), "onnx", str(tmp_path / "film.onnx")) < 1e-4
    assert "Largest difference from PyTorch" in capsys.readouterr().out
    meaning = json.loads((tmp_path / "film.json").read_text(encoding="utf-8"))
    ids = {token: i for i, token in enumerate(meaning["vocabulary"])}
    session = onnxruntime.InferenceSession(str(tmp_path / "film.onnx"))
    texts = ["fine lovely the film", "dull", "cold unheard grim"]
    tokens = [[ids.get(word, 0) for word in text.split()] for text in texts]
    padded = np.array([row + [0] * (4 - len(row)) for row in tokens])
    feed = {"tokens": padded, "lengths": np.array([len(row) for row in tokens])}
    (found,) = session.run(["probabilities"], feed)
    model = rnnlab.load(run.folder)
    np.testing.assert_allclose(found, model.predict_proba(texts), atol=1e-5)
    assert [meaning["labels"][i] for i in found.argmax(axis=1)] == model.predict(texts)


def test_weights_of_any_model_as_safetensors(language: Finished, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    file = tmp_path / "roses.safetensors"
    assert exporting.export(str(language.folder), "safetensors", str(file)) == 0
    weights = safetensors.load_file(file)
    assert torch.equal(weights["embedding.weight"], rnnlab.load(language.folder).task.embedding.weight.cpu())
    assert json.loads((tmp_path / "roses.json").read_text())["vocabulary"][:2] == ["<unk>", "<eos>"]


def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    sentiment: Finished, language: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = str(tmp_path / "a.onnx")
    with pytest.raises(RunError, match="format=onnx is for task=sentiment"):
        exporting.export(str(language.folder), "onnx", target)
    with pytest.raises(ConfigError, match="Did you mean onnx"):
        exporting.export(str(sentiment.folder), "onxx", target)
    with pytest.raises(ConfigError, match=r"name a \.onnx file"):
        exporting.export(str(sentiment.folder), "onnx", str(tmp_path / "a.json"))
    monkeypatch.setattr(exporting, "difference_in_onnxruntime", lambda *_: float("nan"))
    with pytest.raises(RunError, match="nothing was written"):
        exporting.export(str(sentiment.folder), "onnx", target)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []


def test_the_command(
    sentiment: Finished, tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"run={sentiment.folder}", f"output={tmp_path / 'a.onnx'}"]
    assert command("export", *words) == 0
    before = (tmp_path / "a.onnx").read_bytes()
    assert command("export", *words) == 2
    assert "overwrite=true" in capsys.readouterr().err
    assert command("export", *words, "overwrite=true") == 0
    assert (tmp_path / "a.onnx").read_bytes() == before

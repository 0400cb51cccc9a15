"""Every network, exported in every form, computes what PyTorch computes, whatever it is batched with."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rnnlab.encoder.padding import RaggedRows
from rnnlab.encoder.pooling import POOLINGS, Pooling
from rnnlab.errors import ConfigError
from rnnlab.graphs.network_parts import stacked
from rnnlab.tasks.exports import OnnxAnswers, scripted_answers
from rnnlab.tasks.language_model.exports import LanguageModelExports
from rnnlab.tasks.language_model.torchscript import PlainLanguageModel
from rnnlab.tasks.sentiment.exports import ClassifierExports
from rnnlab.tasks.sentiment.torchscript import PlainClassifier
from tests.graphs.networks import ENCODERS, LANGUAGE_ENCODERS, WORDS, classifier, language_model

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from rnnlab.graphs.int8_layers import WEIGHT_TOP, Int8Layers, product_with, quantised
from rnnlab.graphs.layers import FloatLayers
from rnnlab.tasks.language_model.onnx import language_model as language_graph
from rnnlab.tasks.sentiment.onnx import classifier_model

EXACT, ROUNDED = 2e-5, 0.08  # of a probability; int8 networks of a few units are rough
HEADS = [("full", True), ("full", False), ("adaptive", True), ("adaptive", False)]
Answers = Callable[..., Any]


def graph_answers(graph: Any, file: Path) -> OnnxAnswers:
    file.write_bytes(graph.SerializeToString())
    return OnnxAnswers(file)


def script_answers(plain: nn.Module, file: Path) -> Answers:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(plain.eval()).save(str(file))
        found: Answers = scripted_answers(file)
    return found


def check_classifier(encoder: dict[str, Any], pooling: str, classes: int, form: str, tmp_path: Path) -> None:
    task = classifier(encoder, pooling, classes, backward=classes == 3)
    if form == "torchscript":
        answers = script_answers(PlainClassifier(task), tmp_path / "a.pt")
    else:
        layers = Int8Layers if form == "int8" else FloatLayers
        graph = classifier_model(task, layers, form)
        answers = ClassifierExports.onnx_answers(graph_answers(graph, tmp_path / "a.onnx"))
    for lengths in ([7, 1, 4], [3], [12, 12]):
        tokens = torch.randint(WORDS, (len(lengths), max(lengths) + 2))  # the padding holds anything
        logits, probabilities = answers(tokens, torch.tensor(lengths))
        expected, shares = ClassifierExports.answers_of(task)(tokens, torch.tensor(lengths))
        assert logits.shape == expected.shape
        most = ROUNDED if form == "int8" else EXACT
        torch.testing.assert_close(probabilities, shares, atol=most, rtol=0)
        alone = answers(tokens[:1, : lengths[0]], torch.tensor(lengths[:1]))[1]
        torch.testing.assert_close(alone, probabilities[:1], atol=EXACT, rtol=0)


@pytest.mark.parametrize("form", ["onnx", "int8", "torchscript"])
@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_every_cell_is_exact_under_padding(encoder: dict[str, Any], form: str, tmp_path: Path) -> None:
    check_classifier(encoder, "last_mean_max", 2, form, tmp_path)


@pytest.mark.parametrize("form", ["onnx", "int8", "torchscript"])
@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_every_pooling_is_exact_under_padding(pooling: str, form: str, tmp_path: Path) -> None:
    check_classifier({"cell": "gru", "bidirectional": True}, pooling, 3, form, tmp_path)


@pytest.mark.parametrize("form", ["onnx", "int8", "torchscript"])
@pytest.mark.parametrize(("encoder", "head"), list(zip(LANGUAGE_ENCODERS, HEADS, strict=True)), ids=str)
def test_every_language_model_carries_its_state(
    encoder: dict[str, Any], head: tuple[str, bool], form: str, tmp_path: Path
) -> None:
    task = language_model(encoder, *head)
    if form == "torchscript":
        answers = script_answers(PlainLanguageModel(task), tmp_path / "a.pt")
    else:
        graph = language_graph(task, Int8Layers if form == "int8" else FloatLayers, form)
        answers = LanguageModelExports.onnx_answers(graph_answers(graph, tmp_path / "a.onnx"))
    ours, theirs = None, None
    for window in (5, 1, 1, 3):
        tokens = torch.randint(WORDS, (3, window))
        found, theirs = answers(tokens, theirs)
        expected, ours = LanguageModelExports.answers_of(task)(tokens, ours)
        most = ROUNDED if form == "int8" else EXACT
        torch.testing.assert_close(found.exp(), expected.exp(), atol=most, rtol=0)
        torch.testing.assert_close(found.exp().sum(dim=2), torch.ones(3, window))


def test_quantised_weights_are_the_nearest() -> None:
    weight = torch.tensor([[0.5, -1.27, 0.004], [0.0, 0.0, 0.0], [3e-3, 2e-3, -1e-3]])
    whole, scales = quantised(weight)
    assert whole.tolist() == [[50, -127, 0], [0, 0, 0], [127, 85, -42]]
    assert np.abs(whole * scales[:, None] - weight.numpy()).max() <= scales.max() / 2


def test_integer_products_never_overflow(tmp_path: Path) -> None:
    """The largest activations times the largest weights: what 16-bit sums of two products just hold."""
    from rnnlab.graphs.graph import Graph, value

    size = 64
    weight = torch.where(torch.arange(size) % 2 == 0, 1.0, -1.0).repeat(3, 1) * WEIGHT_TOP
    weight[0] = WEIGHT_TOP
    graph = Graph()
    graph.add("Identity", product_with(graph, Int8Layers(graph).kept(weight), "x"), name="y")
    model = graph.model("product", [value("x", 1, ["rows", size])], [value("y", 1, ["rows", 3])])
    session = graph_answers(model, tmp_path / "a.onnx")
    inputs = torch.stack([torch.ones(size), weight[1] / WEIGHT_TOP, -torch.ones(size)])
    (found,) = session.run({"x": inputs})
    torch.testing.assert_close(found, inputs @ weight.t(), rtol=1e-6, atol=1e-3)


def test_tied_weights_lie_in_the_file_once() -> None:
    sizes = {}
    for tied in (True, False):
        task = language_model({"cell": "gru", "hidden_size": 4}, "full", tied)
        for layers in (FloatLayers, Int8Layers):
            sizes[layers, tied] = len(language_graph(task, layers, "onnx").SerializeToString())
    assert sizes[FloatLayers, False] - sizes[FloatLayers, True] >= WORDS * 4 * 4
    assert sizes[Int8Layers, False] - sizes[Int8Layers, True] >= WORDS * 4


class Loudest(Pooling):
    """A pooling of one's own: the output of the largest norm."""

    def pooled(self, outputs: torch.Tensor, rows: RaggedRows) -> torch.Tensor:
        """Padding is zero, so that it never wins."""
        return outputs[torch.arange(len(outputs)), outputs.norm(dim=2).argmax(dim=1)]


def test_a_pooling_of_ones_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POOLINGS, "loudest", Loudest)
    task = classifier({"cell": "gru"}, "loudest", 2)
    for write in (
        lambda: classifier_model(task, FloatLayers, "onnx"),
        lambda: classifier_model(task, Int8Layers, "int8"),
        lambda: PlainClassifier(task),
    ):
        with pytest.raises(ConfigError, match=r"own poolings .* is Loudest\. Use format=safetensors"):
            write()


def test_an_encoder_of_ones_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="only rnnlab's own encoders"):
        stacked(nn.GRU(3, 4), "onnx")

"""What is exported answers without rnnlab; what can't be exported is said and leaves nothing."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import rnnlab
from rnnlab.corpora.imdb import Imdb
from rnnlab.errors import ConfigError, DataError, RunError
from rnnlab.runs.exports import export as exporting
from rnnlab.runs.exports.export import tokenizing
from rnnlab.tasks.language_model.answers import TrainedLanguageModel
from rnnlab.tasks.sentiment import exports as classifier_exports
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from rnnlab.text.tokenizers import BasicEnglish, Characters, Tokenizer, Whitespace
from tests.readme.text import module
from tests.runs.conftest import Finished

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

SNIPPET = module("without_rnnlab.py")
TEXTS = ["Fine, lovely: the film", "dull", "cold unheard grim"]


def tokens_of(text: str, how: Mapping[str, Any]) -> list[str]:
    """What the JSON beside an export says, done."""
    text = text.lower() if how["lowercase"] else text
    for pattern, replacement in how["replace"]:
        text = re.sub(pattern, replacement, text)
    return text.split() if how["split"] == "whitespace" else list(text)


def padded(texts: list[str], meaning: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    ids = {token: number for number, token in enumerate(meaning["vocabulary"])}
    rows = [[ids.get(token, 0) for token in tokens_of(text, meaning["tokenizer"])] for text in texts]
    rows = [shortened(row, meaning["max_length"], meaning["truncate"]) for row in rows]
    longest = max(map(len, rows))
    return np.array([row + [0] * (longest - len(row)) for row in rows]), np.array(list(map(len, rows)))


def shortened(row: list[int], most: int, how: str) -> list[int]:
    if len(row) <= most or how == "head":
        return row[:most]
    kept_head = (most + 1) // 2 if how == "head_tail" else 0
    return row[:kept_head] + row[len(row) - (most - kept_head) :]


def meaning_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["sentiment", "three_classes"])
@pytest.mark.parametrize(("form", "most"), [("onnx", 1e-5), ("torchscript", 1e-5), ("int8", 0.05)])
@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated")
def test_a_classifier_answers_without_rnnlab(
    name: str, form: str, most: float, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run: Finished = request.getfixturevalue(name)
    file = tmp_path / ("film.pt" if form == "torchscript" else "film.onnx")
    assert exporting.export(str(run.folder), form, str(file), split=None) < most
    meaning = meaning_of(file)
    tokens, lengths = padded(TEXTS, meaning)
    if form == "torchscript":
        module = torch.jit.load(str(file))
        found = module(torch.from_numpy(tokens), torch.from_numpy(lengths))[1].detach().numpy()
    else:
        session = onnxruntime.InferenceSession(str(file))
        (found,) = session.run(["probabilities"], {"tokens": tokens, "lengths": lengths})
    model = rnnlab.load(run.folder)
    np.testing.assert_allclose(found, model.predict_proba(TEXTS), atol=most)
    assert [meaning["labels"][i] for i in found.argmax(axis=1)] == model.predict(TEXTS)


def test_an_answer_that_is_no_number_is_a_difference(sentiment: Finished, language: Finished) -> None:
    classifier, writer = rnnlab.load(sentiment.folder), rnnlab.load(language.folder)
    assert isinstance(classifier, TrainedClassifier)
    assert isinstance(writer, TrainedLanguageModel)
    ours = writer.exports.answers()

    def failing_once(tokens: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        found, after = ours(tokens, state)
        return (torch.full_like(found, float("nan")) if tokens.shape[1] == 1 else found), after

    assert np.isnan(writer.exports.difference(failing_once))
    nowhere = torch.full((classifier_exports.BATCH, 2), float("nan"))
    assert np.isnan(classifier.exports.difference(lambda *_: (nowhere, nowhere)))


@pytest.mark.parametrize("form", ["onnx", "int8"])
def test_the_example_for_readers_needs_no_rnnlab(form: str, sentiment: Finished, tmp_path: Path) -> None:
    exporting.export(str(sentiment.folder), form, str(tmp_path / "film.onnx"), split=None)
    code = f"{SNIPPET}\nimport sys\nassert not {{'rnnlab', 'torch'}} & set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    model = rnnlab.load(sentiment.folder)
    (expected,) = model.predict_proba(["A moving film."]).tolist()
    found = ast.literal_eval(done.stdout)
    assert list(found) == list(model.labels)
    assert list(found.values()) == pytest.approx(expected, abs=1e-5 if form == "onnx" else 0.05)


LONG = " ".join(f"{word} film," for word in ("dull", "cold", "flat", "fine", "lovely", "warm") * 4)


@pytest.mark.parametrize("text", ["", " ", "?", LONG, LONG.upper(), 'Said "fine"; dull: <br /> grim'])
@pytest.mark.parametrize("truncate", ["head", "tail", "head_tail", None])
@pytest.mark.parametrize("tokenizer", [BasicEnglish(), Whitespace(), Characters()])
def test_the_example_reads_every_text_as_the_model_does(
    text: str, truncate: str | None, tokenizer: Tokenizer, sentiment: Finished, tmp_path: Path
) -> None:
    """Whatever of it is read: 7 tokens, or all."""
    model = rnnlab.load(sentiment.folder)
    assert isinstance(model, TrainedClassifier)
    most = 7 if truncate else None
    kept = {"max_length": most, "truncate": truncate or "head"}
    model.kept = kept
    model.run = replace(model.run, reading=(tokenizer, model.vocabulary))
    seen: list[np.ndarray] = []

    class Session:
        def __init__(self, file: str) -> None:
            pass

        def run(self, names: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            seen.append(feeds["tokens"])
            batch = torch.from_numpy(feeds["tokens"]), torch.from_numpy(feeds["lengths"])
            return [model.task.probabilities(model.task(*batch)).detach().numpy()]

    told = {**exporting.meanings(model), **kept, "tokenizer": tokenizing(tokenizer)}
    (tmp_path / "film.json").write_text(json.dumps(told), encoding="utf-8")
    code = SNIPPET.replace('"A moving film."', repr(text)).replace("film.json", str(tmp_path / "film.json"))
    shown: list[dict[str, float]] = []
    known = {"onnxruntime": SimpleNamespace(InferenceSession=Session), "print": shown.append}
    exec(code.replace("import onnxruntime", ""), known)  # the README's own lines
    (expected,) = model.predict_proba([text]).tolist()
    assert list(shown[0].values()) == pytest.approx(expected, abs=1e-6)
    assert seen[0].shape[1] <= (most or 1000)


@pytest.mark.parametrize("form", ["onnx", "torchscript"])
@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated")
def test_a_language_model_writes_without_rnnlab(form: str, language: Finished, tmp_path: Path) -> None:
    file = tmp_path / ("roses.pt" if form == "torchscript" else "roses.onnx")
    assert exporting.export(str(language.folder), form, str(file)) < 1e-5
    vocabulary = meaning_of(file)["vocabulary"]
    model = rnnlab.load(language.folder)
    assert isinstance(model, TrainedLanguageModel)
    ids = [1, *map(vocabulary.index, ("the", "rose", "is")), 1]
    tokens = np.array([ids])
    if form == "torchscript":
        module = torch.jit.load(str(file))
        found = module(torch.from_numpy(tokens), module.initial_state(1))[0].detach().numpy()
    else:
        session = onnxruntime.InferenceSession(str(file))
        names = [given.name for given in session.get_inputs()]
        assert names == ["tokens", "hidden_0"]
        feed = {"tokens": tokens, "hidden_0": np.zeros((1, 8), np.float32)}
        found, state = session.run(["log_probabilities", "next_hidden_0"], feed)
        assert state.shape == (1, 8)
    expected = model.surprisals(["the", "rose", "is"])
    np.testing.assert_allclose(-found[0, range(4), ids[1:]], expected, atol=1e-5)


def test_int8_is_scored_beside_the_original(
    sentiment: Finished, language: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exporting.export(str(sentiment.folder), "int8", str(tmp_path / "a.onnx"))
    shown = capsys.readouterr().out
    assert f"{sentiment.metrics['test']['accuracy']:.4f}" in shown
    assert "ONNX, int8" in shown
    assert "tokens/s" in shown
    exporting.export(str(language.folder), "int8", str(tmp_path / "b.onnx"), split="validation")
    shown = capsys.readouterr().out
    assert "perplexity" in shown
    assert f"{language.metrics['validation']['perplexity']:.2f}" in shown


def test_int8_without_its_data_says_what_to_do(
    sentiment: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = sentiment.data.rename(sentiment.data.with_suffix(".away"))
    try:
        with pytest.raises(DataError, match="split=null"):
            exporting.export(str(sentiment.folder), "int8", str(tmp_path / "a.onnx"))
        assert not (tmp_path / "a.onnx").exists()
        exporting.export(str(sentiment.folder), "int8", str(tmp_path / "a.onnx"), split=None)
    finally:
        away.rename(sentiment.data)


def test_weights_of_any_model_as_safetensors(language: Finished, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    file = tmp_path / "roses.safetensors"
    assert exporting.export(str(language.folder), "safetensors", str(file)) == 0
    weights = safetensors.load_file(file)
    assert torch.equal(weights["embedding.weight"], rnnlab.load(language.folder).task.embedding.weight.cpu())
    assert meaning_of(file)["vocabulary"][:2] == ["<unk>", "<eos>"]


@pytest.mark.parametrize("tokenizer", [BasicEnglish(), Whitespace(), Characters()], ids=lambda one: one.name)
def test_the_tokenizer_is_told_in_full(tokenizer: Tokenizer) -> None:
    for text in ("", 'He\'s <br />"GONE"; say: (yes).\n No!?', "a;b<br />c", '<br "/>x', "ÄÖ ß\tİ"):
        assert tokens_of(text, tokenizing(tokenizer)) == tokenizer.encode(text)


def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    sentiment: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = str(tmp_path / "a.onnx")
    run = str(sentiment.folder)
    with pytest.raises(ConfigError, match="Did you mean onnx"):
        exporting.export(run, "onxx", target)
    with pytest.raises(ConfigError, match=r"name a \.onnx file"):
        exporting.export(run, "onnx", str(tmp_path / "a.json"))
    with pytest.raises(ConfigError, match="validation or test, or null"):
        exporting.export(run, "int8", target, split="train")
    for form, ending in (("onnx", ".pt"), ("torchscript", ".onnx"), ("int8", ".safetensors")):
        with pytest.raises(ConfigError, match=rf"format={form} writes a \..* file"):
            exporting.export(run, form, str(tmp_path / f"a{ending}"))
    nothing = lambda *_: float("nan")  # noqa: E731
    monkeypatch.setattr(classifier_exports.ClassifierExports, "difference", nothing)
    for form in ("onnx", "torchscript", "int8"):
        with pytest.raises(RunError, match="nothing was written"):
            exporting.export(run, form, str(tmp_path / "unnamed"))
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
    beside = [words[0], "format=safetensors", f"output={tmp_path / 'a.safetensors'}"]
    assert command("export", *beside) == 0  # a.json says the same of both
    (tmp_path / "a.json").write_text("{}")
    assert command("export", words[0], f"output={tmp_path / 'a.pt'}", "format=torchscript") == 2
    assert "a.json exists" in capsys.readouterr().err
    mine = tmp_path / "mine.csv"
    mine.write_text("text,label\nfine lovely,pos\ndull,neg\n", encoding="utf-8")
    words = [*words, "overwrite=true", "format=int8", f"data={mine}"]
    assert command("export", *words) == 2
    assert "labels=neg,pos" in capsys.readouterr().err
    assert command("export", *words, "labels=neg,pos") == 0
    assert "test split of mine.csv" in capsys.readouterr().out


@pytest.mark.slow
def test_onnxruntime_equals_pytorch_on_a_thousand_real_reviews(
    sentiment: Finished, real_data: Path, tmp_path: Path
) -> None:
    """Reviews of all lengths, in batches as they come."""
    model = rnnlab.load(sentiment.folder)
    assert isinstance(model, TrainedClassifier)
    exporting.export(str(sentiment.folder), "onnx", str(tmp_path / "a.onnx"))
    meaning = meaning_of(tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"))
    texts = [document.text for document, _ in zip(Imdb().documents("test"), range(1000), strict=False)]
    expected = model.predict_proba(texts)
    for first in range(0, 1000, 50):
        tokens, lengths = padded(texts[first : first + 50], meaning)
        (found,) = session.run(["probabilities"], {"tokens": tokens, "lengths": lengths})
        np.testing.assert_allclose(found, expected[first : first + 50], atol=1e-4)

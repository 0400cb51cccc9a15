"""The README's own corpus, tokenizer, cell and task, as they stand there, trained by its commands."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnlab
from rnnlab.errors import RunError
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from rnnlab.text.tokenizers import Tokenizer, registered
from rnnlab.training.init_from import read_source, starting_of
from rnnlab.training.train import configuration
from tests.readme.text import commands, words_of

Command = Callable[..., int]
QUICK = ["debug=fast_dev_run", "logger=none", "trainer=cpu"]

pytestmark = pytest.mark.usefixtures("importable")


def trained(name: str, command: Command, *more: str) -> Path:
    """Give the README's command that names a module, with little to do; return the run's folder."""
    (line,) = (line for line in commands() if f"={name}." in line)
    assert command("train", *words_of(line)[2:], *QUICK, *more) == 0
    (metrics,) = Path("logs").rglob("metrics.json")
    assert json.loads(metrics.read_text())["test"]["loss"] > 0
    return metrics.parent


def made(target: str, *arguments: Any) -> Any:
    name, _, kind = target.rpartition(".")
    return getattr(importlib.import_module(name), kind)(*arguments)


def test_the_corpus(place: Path, command: Command) -> None:
    run = trained("my_corpus", command, "model.backend=torch")
    assert rnnlab.load(run, trust=["my_corpus"]).labels == ("bad", "good")
    corpus = made("my_corpus.Folders", "reviews")
    documents = list(corpus.documents("train"))
    assert len(documents) == 40
    assert all(document.text.startswith(("dull", "bright")[document.label]) for document in documents)
    before = corpus.fingerprint
    assert made("my_corpus.Folders", "reviews").fingerprint == before
    (place / "reviews" / "test" / "good" / "0.txt").write_text("bright anew")
    assert corpus.fingerprint != before


def test_the_tokenizer_and_a_run_that_needs_it(
    command: Command, importable: Callable[[], None], tmp_path: Path
) -> None:
    run = trained("my_tokenizer", command, "model.backend=torch")
    tokenizer: Tokenizer = made("my_tokenizer.Negated")
    assert tokenizer.encode("Not very good. Fine!") == ["not", "NOT_very", "NOT_good", ".", "fine", "!"]
    assert registered(tokenizer.name).from_dict(tokenizer.to_dict()).encode("no film") == ["no", "NOT_film"]
    importable()
    with pytest.raises(RunError, match=r"names my_tokenizer\.Negated.*trust=my_tokenizer"):
        rnnlab.load(run)
    assert rnnlab.load(run, trust=["my_tokenizer"]).predict(["not good"])[0] in ("fresh", "rotten")
    pytest.importorskip("onnxruntime")
    assert command("export", f"run={run}", "trust=my_tokenizer", f"output={tmp_path / 'a.onnx'}") == 0
    assert json.loads((tmp_path / "a.json").read_text())["tokenizer"] == {"name": "negated"}


def test_a_tokenizer_that_is_not_registered_is_told_of(place: Path, command: Command, capsys: Any) -> None:
    source = (place / "my_tokenizer.py").read_text()
    (place / "my_tokenizer.py").write_text(source.replace("@register", "#"))
    words = ["tokenizer=custom", "tokenizer._target_=my_tokenizer.Negated", *QUICK]
    assert command("train", *words) == 2
    assert "One of your own needs @register" in capsys.readouterr().err


def test_a_run_whose_tokenizer_was_edited_is_refused(
    place: Path, command: Command, importable: Callable[[], None], capsys: Any
) -> None:
    run = trained("my_tokenizer", command, "model.backend=torch")
    asked = ("predict", f"run={run}", "text=a film", "trust=my_tokenizer")
    assert command(*asked) == 0
    edit(place / "my_tokenizer.py", "tokens.append(", "tokens.append('own_' + ")
    importable()
    assert command(*asked) == 2
    assert "my_tokenizer.Negated makes other tokens of a text now" in capsys.readouterr().err


def test_a_run_whose_cell_was_edited_says_so(
    place: Path, command: Command, importable: Callable[[], None], capsys: Any
) -> None:
    run = trained("my_encoder", command)
    rnnlab.load(run, trust=["my_encoder"])
    assert "Edited since" not in capsys.readouterr().out
    edit(place / "my_encoder.py", "torch.tanh(", "torch.sin(")
    importable()
    rnnlab.load(run, trust=["my_encoder"])
    assert (
        "Edited since this run was made, or what they import: my_encoder.MinimalGated"
        in capsys.readouterr().out
    )


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text in a module."""
    source = file.read_text(encoding="utf-8")
    assert old in source
    file.write_text(source.replace(old, new), encoding="utf-8")


def test_the_cell(command: Command, capsys: Any) -> None:
    run = trained("my_cell", command)
    assert "cell: my_cell.MinimalGRU" in (run / "config.yaml").read_text(encoding="utf-8")
    cell = made("my_encoder.MinimalGated", 3, 5)
    inputs, lengths = torch.randn(2, 4, 3), torch.tensor([4, 2])
    outputs, state = cell(inputs, lengths)
    alone, end = cell(inputs[1:, :2])
    torch.testing.assert_close(outputs[1, :2], alone[0])
    torch.testing.assert_close(state[:, 1], end[:, 0])
    assert not outputs[1, 2:].any()
    first, between = cell(inputs[:, :2])
    second, _ = cell(inputs[:, 2:], None, between)
    torch.testing.assert_close(torch.cat([first, second], 1), cell(inputs)[0])
    outputs.sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in cell.parameters())
    (line,) = (line for line in commands() if "trust=my_cell" in line)
    words = [word.replace("<run>", str(run)) for word in words_of(line)[2:]]
    assert command("predict", *words[:-1]) == 2
    assert "trust=my_cell" in capsys.readouterr().err
    assert command("predict", *words) == 0
    assert "fresh" in capsys.readouterr().out


def test_the_cell_in_a_language_model(command: Command) -> None:
    words = ["task=language_model", "model=custom", "model._target_=my_encoder.MinimalGated"]
    assert command("train", *words, "task.tie_weights=false", "+model.hidden_size=8", *QUICK) == 0


def test_the_task(command: Command) -> None:
    run = trained("my_task", command, "model.backend=torch")
    model = rnnlab.load(run, trust=["my_task"])
    assert isinstance(model, TrainedClassifier)
    assert model.predict_proba(["A moving film."]).shape == (1, 2)
    assert model.task.gamma == 1.5
    logits, labels = torch.tensor([3.0, -1.0]), torch.tensor([1, 1])
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
    probability = torch.sigmoid(logits)
    torch.testing.assert_close(
        model.task.training_losses_of(logits, labels), plain * (1 - probability) ** 1.5
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model=custom", "model._target_=my_encoder.MinimalGated", "+model.hidden=3"],
            "model.hidden: MinimalGated has no such option. Did you mean hidden_size",
        ),
        (
            ["task._target_=my_task.Focal", "+task.gama=1"],
            "task.gama: Focal has no such option. Did you mean gamma",
        ),
        (["model=custom", "model._target_=torch.nn.Identity"], "is no encoder: it lacks output_size"),
        (["data=custom"], "data.corpus._target_"),
        (["data=custom", "data.corpus._target_=my_corpus.Folders"], "Folders needs folder"),
    ],
)
def test_what_does_not_fit_is_told(words: list[str], message: str, command: Command, capsys: Any) -> None:
    assert command("train", *words, *QUICK) == 2
    assert message in capsys.readouterr().err


def test_init_from_imports_no_tokenizer_unasked(command: Command, importable: Callable[[], None]) -> None:
    own = ["tokenizer=custom", "tokenizer._target_=my_tokenizer.Negated"]
    small = ["model.hidden_size=8", "task.embedding_size=8", "model.backend=torch"]
    assert command("train", "task=language_model", *own, *small, *QUICK) == 0
    (metrics,) = Path("logs").rglob("metrics.json")
    importable()
    config = configuration()
    starting = starting_of(config)
    source = read_source(metrics.parent, starting)
    with pytest.raises(RunError, match=r"names my_tokenizer\.Negated \(tokenizer\).*trust=my_tokenizer"):
        starting.adopted(config, source, ())
    trusting = starting.adopted({**config, "trust": "my_tokenizer"}, source, ())
    assert trusting["tokenizer"] == source.config["tokenizer"]
    assert "my_tokenizer" not in sys.modules
    assert command("train", f"init_from={metrics.parent}", *own, "model.backend=torch", *QUICK) == 0

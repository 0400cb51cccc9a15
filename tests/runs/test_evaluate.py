"""Evaluation repeats training's figures, from the moved run and by the model's own vocabulary."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rnnlab
from rnnlab import terminal
from rnnlab.data.text_data import model_ids
from rnnlab.errors import ConfigError
from rnnlab.runs.evaluation import evaluated
from rnnlab.runs.evaluation_report import evaluate_runs, figures_table
from rnnlab.tasks.language_model import adapting, adaptive
from tests.runs.conftest import Finished
from tests.training.conftest import write_reviews

Command = Callable[..., int]


@pytest.mark.parametrize("name", ["sentiment", "three_classes", "language"])
@pytest.mark.parametrize("split", ["test", "validation"])
@pytest.mark.smoke
def test_repeats_training_digit_for_digit(name: str, split: str, request: pytest.FixtureRequest) -> None:
    run: Finished = request.getfixturevalue(name)
    assert evaluated(run.folder, split)["metrics"] == run.metrics[split]


def test_the_command_says_so_and_writes_the_figures(
    sentiment: Finished, command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command("evaluate", f"run={sentiment.folder}") == 0
    assert "Equal to training's, digit for digit" in capsys.readouterr().out
    written = json.loads((sentiment.folder / "evaluation_csv_test.json").read_text())
    assert written["runs"][0]["metrics"] == sentiment.metrics["test"]
    output = tmp_path / "figures.json"
    words = [f"run={sentiment.folder}", f"run={sentiment.folder / 'checkpoints'}/*.ckpt", f"output={output}"]
    assert command("evaluate", *words) == 0
    assert "±" in capsys.readouterr().out
    report = json.loads(output.read_text())
    values = [run["metrics"]["loss"] for run in report["runs"]]
    assert report["mean"]["loss"] == pytest.approx(sum(values) / len(values))
    assert report["spread"]["loss"] == pytest.approx(
        (sum((value - report["mean"]["loss"]) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    )
    assert command("evaluate", *words) == 2
    assert "overwrite=true" in capsys.readouterr().err


def test_a_text_is_scored_by_a_language_model_and_by_no_classifier(
    language: Finished,
    sentiment: Finished,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    book = tmp_path / "book.txt"
    book.write_text("the rose is red .\nthe violet is blue .\n" * 30, encoding="utf-8")
    assert command("evaluate", f"run={language.folder}", f"data={book}", f"output={tmp_path / 'told'}") == 0
    (told,) = json.loads((tmp_path / "told").read_text())["runs"]
    assert (told["data"], told["documents"]) == ("book.txt", 60)
    assert told["metrics"]["perplexity"] > 1
    capsys.readouterr()
    assert command("evaluate", f"run={sentiment.folder}", f"data={book}") == 2
    assert "book.txt has no labels" in capsys.readouterr().err.replace("\n", " ")
    assert command("evaluate", f"run={language.folder}", f"data={book}", "data.corpus.label_column=a") == 2


def test_changed_data_is_noticed(
    sentiment: Finished, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = sentiment.data.read_bytes()
    try:
        write_reviews(sentiment.data, labels=("bad", "good"))
        evaluate_runs([str(sentiment.folder)])
    finally:
        sentiment.data.write_bytes(before)
    assert "The corpus has changed since the run was trained" in caplog.text
    assert "has other figures" in capsys.readouterr().out.replace("\n", " ")


def test_other_data_is_read_with_the_models_vocabulary_and_classes(
    sentiment: Finished, tmp_path: Path
) -> None:
    lines = [("fine lovely warm", "pos"), ("dull cold unheardof", "neg"), ("grim stale", "neg")]
    table = tmp_path / "mine.csv"
    table.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in lines))
    data = {
        "name": "mine.csv",
        "corpus": {"_target_": "rnnlab.runs.data_section.ScoredTable", "file": str(table)},
        "vocabulary": {},
    }
    with pytest.raises(ConfigError, match="labels=neg,pos, or turned round"):
        evaluated(sentiment.folder, data=data)
    model = rnnlab.load(sentiment.folder)
    assert model.labels == ("bad", "good")
    found = evaluated(sentiment.folder, data=data, labels=["neg", "pos"])
    names = {"bad": "neg", "good": "pos"}
    predicted = [names[label] for label in model.predict([text for text, _ in lines])]
    hits = sum(guess == label for guess, (_, label) in zip(predicted, lines, strict=True))
    assert found["metrics"]["accuracy"] == pytest.approx(hits / 3)
    assert found["out_of_vocabulary"] == pytest.approx(1 / 8)
    turned = evaluated(sentiment.folder, data=data, labels=["pos", "neg"])
    assert turned["metrics"]["accuracy"] == pytest.approx(1 - hits / 3)


def test_classes_are_numbered_as_the_models() -> None:
    assert model_ids(("bad", "good"), ("good", "bad"), ()) == [1, 0]
    assert model_ids(("bad", "good"), ("no", "yes"), ("yes", "no")) == [1, 0]
    assert model_ids(("a", "b", "c"), ("c",), ()) == [2]
    assert model_ids(("0", "1"), ("0.0", "1.0"), ()) == [0, 1]
    for named in (("no",), ("no", "no"), ("no", "perhaps")):
        with pytest.raises(ConfigError, match="in the order bad, good"):
            model_ids(("bad", "good"), ("no", "yes"), named)
    with pytest.raises(ConfigError, match="what it has not learnt: Good"):
        model_ids(("bad", "good"), ("Good", "bad", "good"), ())
    with pytest.raises(ConfigError, match="labels=…, 3 names, also of those that the data lacks"):
        model_ids(("a", "b", "c"), ("x", "y"), ())


def test_the_command_takes_a_table_or_a_configuration(
    sentiment: Finished, command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = write_reviews(tmp_path / "mine.csv", count=30)
    words = [f"run={sentiment.folder}", f"output={tmp_path / 'a.json'}"]
    assert command("evaluate", *words, f"data={table}") == 0
    assert json.loads((tmp_path / "a.json").read_text())["runs"][0]["documents"] == 30
    words[1] = f"output={tmp_path / 'b.json'}"
    assert command("evaluate", *words, "data=csv", f"data.corpus.train={table}", "split=validation") == 0
    assert json.loads((tmp_path / "b.json").read_text())["runs"][0]["documents"] == 4


@pytest.mark.parametrize("key", ["quotes=false", "data.corpus.quotes=false"])
def test_quotation_marks_that_swallow_rows(
    key: str, sentiment: Finished, command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text('text,label\nfine,good\n"dull,bad\nwarm,good\nstale",bad\n')
    words = [f"run={sentiment.folder}", f"output={tmp_path / 'a.json'}", f"data={table}"]
    assert command("evaluate", *words) == 2
    assert "lines 3 to 5" in " ".join(capsys.readouterr().err.split())
    assert command("evaluate", *words, key) == 0
    assert json.loads((tmp_path / "a.json").read_text())["runs"][0]["documents"] == 4
    assert command("evaluate", *words, "quotes=perhaps", "overwrite=true") == 2


def test_a_class_called_none_is_named(
    sentiment: Finished, command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("text,label\nfine,some\ndull,none\n")
    words = [f"run={sentiment.folder}", f"output={tmp_path / 'a.json'}", f"data={table}"]
    assert command("evaluate", *words) == 2
    assert "line 3: label is 'none'" in " ".join(capsys.readouterr().err.split())
    assert command("evaluate", *words, "labels=none,some") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data=cvs",), "Did you mean csv?"),
        (("data=csv",), "data.corpus.train"),
        (("data=csv", "data.corpus.trian=x"), "data.corpus.train"),
        (("data=nowhere.csv",), "There is no file"),
        (("data=nowhere.csv", "data.corpus.txt_column=x"), "Did you mean data.corpus.text_column"),
        (("data.corpus.train=x",), "needs data="),
        (("split=train",), "Choose from: test, validation"),
        (("splt=test",), "Did you mean split?"),
        (("run=/nowhere/*",), "There is no run folder"),
        (("device=cup",), "device=cup"),
    ],
)
def test_mistakes_are_named(
    words: tuple[str, ...],
    message: str,
    sentiment: Finished,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("evaluate", f"run={sentiment.folder}", *words) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_figures_on_different_data_are_not_averaged(sentiment: Finished, language: Finished) -> None:
    with pytest.raises(ConfigError, match="trained on csv"):
        evaluate_runs([str(sentiment.folder), str(language.folder)])


def test_a_language_model_adapts_beside_its_static_figures(
    language: Finished, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive, "TRIED", 4)
    monkeypatch.setattr(adapting, "GRADIENTS", 4)
    weights = (language.folder / "checkpoints" / "best.ckpt").read_bytes()
    words = ("cache=true", "dynamic=true", "columns=2", "together=true")
    assert command("evaluate", f"run={language.folder}", *words) == 0
    assert "not to be compared with static figures" in capsys.readouterr().out.replace("\n", " ")
    (file,) = language.folder.glob("evaluation_*_test.json")
    (run,) = json.loads(file.read_text())["runs"]
    assert run["metrics"] == language.metrics["test"]
    assert run["adaptive"]["ways"] == "cache and dynamic"
    assert set(run["adaptive"]["tuned"]) == {"rate", "decay", "window", "flatness", "weight"}
    assert run["adaptive"]["perplexity"] <= run["metrics"]["perplexity"]
    assert set(run["adaptive"]["together"]) == {"perplexity", "loss", "weight"}
    assert (language.folder / "checkpoints" / "best.ckpt").read_bytes() == weights
    assert (language.folder / "adaptive_cache_dynamic_test.pt").is_file()

    monkeypatch.setattr(adaptive.Scoring, "read", None)  # all is known by now
    assert command("evaluate", f"run={language.folder}", *words) == 0
    assert json.loads(file.read_text())["runs"] == [run]


def test_the_network_with_the_simple_method_is_scored_kept_and_asked(
    sentiment: Finished, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "text=a fine film"
    assert command("predict", f"run={sentiment.folder}", text, "together=true") == 2
    assert "together=true keeps it there" in capsys.readouterr().err.replace("\n", " ")
    assert command("evaluate", f"run={sentiment.folder}", "together=true") == 0
    printed = capsys.readouterr()
    assert "with the bag of bigrams" in printed.out
    assert "static" not in printed.out
    assert "GPU available" not in printed.err
    (file,) = sentiment.folder.glob("evaluation_*_test.json")
    (run,) = json.loads(file.read_text())["runs"]
    assert set(run["together"]["with the bag of bigrams"]) == {"accuracy", "loss", "weight"}
    assert command("predict", f"run={sentiment.folder}", text, "together=true") == 0

    texts = ["a fine film", "awful", ""]
    alone, mixed, bag = (rnnlab.load(sentiment.folder, device="cpu") for _ in range(3))
    mixed.join_simple(sentiment.folder, 0.25)
    bag.join_simple(sentiment.folder, 1.0)
    found = [model.predict_proba(texts).astype(np.float64) for model in (alone, mixed, bag)]
    assert found[1].sum(axis=1) == pytest.approx(np.ones(3))
    odds = [np.log(part[:, 1] / part[:, 0]) for part in found]
    assert odds[1] == pytest.approx(0.75 * odds[0] + 0.25 * odds[2], abs=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cache=true",), "for task=language_model"),
        (("dynamic=true",), "for task=language_model"),
        (("stride=2",), "origins of forecasts"),
        (("together=true", "weight=1.5"), "weight=1.5"),
        (("weight=0.5",), "for together=true"),
        (("columns=1",), "columns=… is for"),
        (("together=true", "split=validation"), "scores test alone"),
    ],
)
def test_what_can_not_be_asked_beside_is_named(
    words: tuple[str, ...],
    message: str,
    sentiment: Finished,
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command("evaluate", f"run={sentiment.folder}", *words) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_table_wider_than_the_terminal_has_a_row_for_each_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.console, "_width", 80)
    columns = ["seed", *(f"quite_long_figure_{number}" for number in range(9))]
    row = ["2026-11-28_18-40-41", "1", *"123456789"]
    turned = figures_table("test split", [row, row], columns)  # the same run may be asked for twice
    assert [column.header.plain for column in turned.columns] == ["", row[0], row[0]]  # type: ignore[union-attr]
    assert turned.row_count == len(columns)
    assert figures_table("test split", [row[:4]], columns[:3]).row_count == 1
    assert figures_table("test split", [row] * 10, columns).row_count == 10

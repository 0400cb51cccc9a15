"""Documents of several classes or none: read, trained, scored, asked; what is wrong in a table is told."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

import rnnlab
from rnnlab.corpora.labelled_subset import LabelledSubset
from rnnlab.corpora.tables import Table
from rnnlab.errors import ConfigError, DataError
from rnnlab.figures.several_classes import (
    MOST_CLASSES,
    THRESHOLDS,
    Decided,
    f1_by_threshold,
    precision_recall_by_class_figure,
)
from rnnlab.runs.data_section import data_section
from rnnlab.runs.evaluation import evaluated
from rnnlab.runs.evaluation_report import evaluated_together
from rnnlab.tasks.multi_label.metrics import best_threshold, label_figures
from rnnlab.training.fit import assemble_data, assemble_task
from tests.runs.conftest import ROOT, Finished, composed, finish
from tests.runs.conftest import command as command  # the fixture

pytestmark = pytest.mark.drawn

CLUES = {"funny": ("jokes", "witty"), "long": ("endless", "hours"), "sad": ("tears", "grief")}
SEVERAL = ["data=csv", "task=multi_label", "data.corpus.label_separator=|", "data.vocabulary.min_frequency=1"]
Give = Callable[..., int]


def write_tagged(path: Path, count: int = 160) -> Path:
    """Write a table of texts whose words tell which of three classes they are of, any number of them."""
    chance = random.Random(3)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for _ in range(count):
            names = [name for name in CLUES if chance.random() < 0.4]
            words = [chance.choice(["the", "film", "plot", "of"]) for _ in range(3)]
            words += [chance.choice(CLUES[name]) for name in names * 2]
            table.writerow([" ".join(words), "|".join(names)])
    return path


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    room = tmp_path_factory.mktemp("tagged")
    quick = [
        "model.backend=torch",
        "optimizer.lr=0.06",
        "baselines=true",
        "trainer.max_epochs=5",
        "logger=csv",
    ]
    whole = ["task.word_dropout=0", "task.embedding_dropout=0", "task.dropout=0", "logger=csv"]
    return finish(room, write_tagged(room / "tags.csv"), *SEVERAL, *quick, *whole)


def test_the_network_learns_and_stands_beside_simple_methods(tagged: Finished) -> None:
    assert tagged.metrics["monitor"] == "validation/f1_micro"
    assert tagged.metrics["test"]["f1_micro"] > 0.75
    frequent, bigrams = (tagged.metrics["baselines"][n] for n in ("most frequent class", "bag of bigrams"))
    assert frequent["f1_micro"] < 0.6
    assert bigrams["f1_micro"] > 0.9
    assert {"f1_macro", "exact_match", "f1/sad", "loss"} <= set(tagged.metrics["validation"])


def test_a_run_shows_each_class_and_the_threshold(tagged: Finished) -> None:
    names = ("precision_recall_validation", "precision_recall_test", "f1_by_threshold")
    drawn = {path.name for path in (tagged.folder / "figures").iterdir()}
    assert drawn >= {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    threshold = float(rnnlab.load(tagged.folder).task.threshold)
    text = (tagged.folder / "figures" / "precision_recall_test.svg").read_text(encoding="utf-8")
    assert all(f"{label}: area" in text for label in (*CLUES, "all decisions"))
    assert f"told above {threshold:.3f}" in text


def test_f1_by_threshold_is_what_is_measured_at_each() -> None:
    chance = np.random.default_rng(4)
    shares = chance.random((30, 9)).round(2)
    truth = chance.random((30, 9)) < shares
    found = f1_by_threshold(Decided(shares, truth))
    expected = [label_figures(shares, truth, threshold)["f1_micro"] for threshold in THRESHOLDS]
    assert found == pytest.approx(expected)
    figure = precision_recall_by_class_figure(Decided(shares, truth), "abcdefghi", 0.5, "test")
    assert len(figure.axes[0].get_legend_handles_labels()[1]) == MOST_CLASSES + 1


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_evaluation_repeats_the_figures(tagged: Finished, split: str) -> None:
    again = evaluated(tagged.folder, split)["metrics"]
    assert again == tagged.metrics[split]
    together = evaluated_together([tagged.folder, tagged.folder], split)[1]
    assert together == pytest.approx(again, abs=1e-6)


def test_the_threshold_is_the_checkpoints_wherever_it_is_scored(tagged: Finished) -> None:
    """Validation data of another corpus choose nothing."""
    threshold = float(rnnlab.load(tagged.folder).task.threshold)
    assert 0 < threshold < 1
    assert threshold != 0.5
    section = data_section(ROOT / "conf", str(tagged.data), ["data.corpus.label_separator=|"])
    found = evaluated(tagged.folder, "test", section)
    assert found["documents"] == 160
    assert found["metrics"]["f1_micro"] > 0.75
    assert float(rnnlab.load(tagged.folder).task.threshold) == threshold


def test_predictions_name_the_classes_above_the_threshold(
    tagged: Finished, tmp_path: Path, command: Give
) -> None:
    model = rnnlab.load(tagged.folder)
    shares = model.predict_proba(["witty tears", "the film"])
    for prediction, row in zip(model.predictions(["witty tears", "the film"]), shares, strict=True):
        expected = tuple(
            name for name, share in zip(model.labels, row, strict=True) if share > model.threshold
        )
        assert prediction.several == expected
        assert prediction.label == "|".join(expected)
    output = tmp_path / "told.csv"
    words = [f"run={tagged.folder}", f"input={tagged.data}", f"output={output}"]
    assert command("predict", *words) == 0
    with output.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 160
    assert {"probability_funny", "probability_long", "probability_sad"} <= set(rows[0])
    assert np.mean([row["predicted_label"] == row["label"] for row in rows]) > 0.5
    assert any("|" in row["predicted_label"] for row in rows)


@pytest.mark.parametrize(("form", "file"), [("onnx", "model.onnx"), ("torchscript", "model.pt")])
def test_exports_answer_with_the_same_probabilities(
    tagged: Finished, tmp_path: Path, command: Give, form: str, file: str
) -> None:
    """The command compares, and refuses a difference; the threshold lies beside."""
    assert command("export", f"run={tagged.folder}", f"format={form}", f"output={tmp_path / file}") == 0
    told = json.loads((tmp_path / file).with_suffix(".json").read_text(encoding="utf-8"))
    assert told["threshold"] == float(rnnlab.load(tagged.folder).task.threshold)


def test_an_explanation_is_of_one_class(tagged: Finished) -> None:
    found = rnnlab.load(tagged.folder).explain("witty tears", "sad")
    assert found.words == ("witty", "tears")
    assert found.title.startswith("sad")


def test_thresholds_and_f1_are_the_textbooks() -> None:
    random_numbers = np.random.default_rng(1)
    shares = random_numbers.random((40, 5)).round(1)
    truth = random_numbers.random((40, 5)) < shares * 0.7
    threshold = best_threshold(shares, truth)
    tried = [label_figures(shares, truth, at)["f1_micro"] for at in np.linspace(0, 1, 201)]
    found = label_figures(shares, truth, threshold, "abcde")
    assert (
        found["f1_micro"] == pytest.approx(max(tried)) == f1_score(truth, shares > threshold, average="micro")
    )
    assert found["f1_macro"] == pytest.approx(f1_score(truth, shares > threshold, average="macro"))
    assert found["f1/b"] == pytest.approx(f1_score(truth[:, 1], shares[:, 1] > threshold))
    assert found["exact_match"] == (truth == (shares > threshold)).all(axis=1).mean()


def test_a_class_that_does_not_occur_has_no_f1() -> None:
    truth = np.array([[True, False], [False, False]])
    found = label_figures(np.array([[0.9, 0.8], [0.1, 0.2]]), truth, 0.5, "ab")
    assert np.isnan(found["f1/b"])
    assert found["f1_macro"] == found["f1/a"] == 1.0
    assert best_threshold(np.full((2, 2), 0.3), np.zeros((2, 2), bool)) == 0.5
    assert best_threshold(np.array([[np.nan, 0.3]]), np.array([[True, False]])) == 0.5


def test_losses_are_binary_cross_entropies(tagged: Finished) -> None:
    task = rnnlab.load(tagged.folder).task
    logits, targets = torch.randn(4, 3), torch.randint(2, (4, 3))
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.float(), reduction="none")
    torch.testing.assert_close(task.losses_of(logits, targets), plain.mean(dim=1))
    torch.testing.assert_close(task.training_losses_of(logits, targets), plain.mean(dim=1))


def test_balanced_weights_let_a_rare_class_count(tmp_path: Path) -> None:
    table = write_tagged(tmp_path / "tags.csv")
    config = composed(*SEVERAL, f"data.corpus.train={table}", "task.class_weights=balanced")
    data = assemble_data(config)
    data.prepare()
    task = assemble_task(config, data)
    task._trainer = type("Trainer", (), {"datamodule": data})()  # type: ignore[assignment]
    task.setup("fit")
    counts, documents = data.class_counts(), data.size_of("train")  # type: ignore[attr-defined]
    torch.testing.assert_close(task.class_weights, (documents - counts) / counts)


def test_json_lines_may_list_labels(tmp_path: Path) -> None:
    file = tmp_path / "tags.jsonl"
    rows = [["sad"], ["sad", "long"], [], ["long"], ["sad"], []] * 4
    file.write_text(
        "".join(json.dumps({"text": f"text {i}", "label": row}) + "\n" for i, row in enumerate(rows)),
        encoding="utf-8",
    )
    corpus = Table(str(file), label_separator="|")
    assert corpus.labels == ("long", "sad")
    assert corpus.label_sets == ((), (0,), (0, 1), (1,))
    found = [document.label for split in corpus.splits for document in corpus.documents(split)]
    assert sorted(found) == sorted([3, 2, 0, 1, 3, 0] * 4)  # type: ignore[type-var]
    assert LabelledSubset(corpus, 8, seed=1).label_sets == corpus.label_sets


def test_a_validation_table_may_have_sets_that_train_lacks(tmp_path: Path) -> None:
    for name, labels in (("train", ["a", "b", "a"]), ("others", ["a|b", "", "b"])):
        rows = "".join(f"some words {i},{label}\n" for i, label in enumerate(labels))
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    other = str(tmp_path / "others.csv")
    corpus = Table(str(tmp_path / "train.csv"), validation=other, test_fraction=0.3, label_separator="|")
    sets = [corpus.label_sets[document.label or 0] for document in corpus.documents("validation")]
    assert sets == [(0, 1), (), (1,)]


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("sad||long", "line 4: label is empty"),
        ("sad|n/a", "line 4: label is 'n/a'"),
        ("sad|long| sad", "line 4: label is 'sad|long| sad', which has a label twice"),
    ],
)
def test_wrong_labels_are_refused_with_their_line(tmp_path: Path, label: str, told: str) -> None:
    file = tmp_path / "tags.csv"
    file.write_text(f"text,label\na film,sad\na plot,long\na text,{label}\n", encoding="utf-8")
    with pytest.raises(DataError, match=told.replace("|", r"\|")):
        _ = Table(str(file), label_separator="|").labels


def test_an_unknown_label_is_refused_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("text,label\na film,sad\na plot,sad|lomg\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 3: 'lomg' is not one of the classes.*long"):
        _ = Table(str(file), label_separator="|", labels=["sad", "long"]).label_sets


def test_a_table_of_one_or_no_class_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("text,label\na film,\na plot,\n", encoding="utf-8")
    with pytest.raises(DataError, match="all 2 rows have no label"):
        _ = Table(str(file), label_separator="|").labels
    with pytest.raises(ConfigError, match=r"label_separator is ' '"):
        Table(str(file), label_separator=" ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["task=sentiment", "data.corpus.label_separator=|"], "task=multi_label tells those"),
        (["task=multi_label"], "data.corpus.label_separator='|'"),
    ],
)
def test_data_of_the_other_kind_name_the_task(tmp_path: Path, words: list[str], told: str) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("text,label\na film,sad\na plot,long\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=told.replace("|", r"\|")):
        assemble_data(composed("data=csv", f"data.corpus.train={file}", *words)).prepare()

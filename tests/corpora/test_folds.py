"""Every document is tested once in a cross-validation, copies of a text together, alike on every machine."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.corpora.corpus import Corpus, Document, known_by
from rnnlab.corpora.folds import Fold, check_folds, parts_of
from rnnlab.corpora.labelled_subset import LabelledSubset
from rnnlab.corpora.plain_text import PlainText
from rnnlab.corpora.tables import Table
from rnnlab.errors import ConfigError, DataError
from rnnlab.training.checks import check
from rnnlab.training.fit import NOT_OF_A_RUN
from rnnlab.training.origin import origin_of
from tests.runs.conftest import composed


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Forty texts of two classes, five of them twice."""
    rows = [f"text number {i},{'good' if i % 4 else 'bad'}" for i in range(40)]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows, *rows[:5], ""]), encoding="utf-8")
    return str(tmp_path / "mine.csv")


def texts(corpus: Corpus, split: str) -> list[str]:
    return [document.text for document in corpus.documents(split)]


def test_each_text_is_tested_once_and_validated_once(table: str) -> None:
    folds = [Fold(Table(table), 5, fold, seed=1) for fold in range(1, 6)]
    every = Counter(text for split in Table.splits for text in texts(Table(table), split))
    for split in ("test", "validation"):
        assert sum((Counter(texts(fold, split)) for fold in folds), Counter()) == every
    for fold in folds:
        parts = [set(texts(fold, split)) for split in fold.splits]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 40
        assert 7 <= len(texts(fold, "test")) <= 11
        assert {document.label for document in fold.documents("test")} == {0, 1}
    assert texts(folds[0], "validation") == texts(folds[1], "test")


def test_the_seed_divides_and_names(table: str) -> None:
    one, again, other = (Fold(Table(table), 5, 2, seed) for seed in (1, 1, 2))
    assert texts(one, "test") == texts(again, "test") != texts(other, "test")
    assert len({known_by(fold) for fold in (one, other, Fold(Table(table), 5, 3, 1))}) == 3
    assert one.held_out == {"test": 0.2, "validation": 0.2}
    assert one.labels == ("bad", "good")


def test_a_test_split_of_its_own_stays(table: str, tmp_path: Path) -> None:
    other = tmp_path / "test.csv"
    other.write_text("text,label\nanother text,good\n", encoding="utf-8")
    fold = Fold(Table(table, test=str(other)), 2, 1, seed=1)
    assert texts(fold, "test") == ["another text"]
    assert len(texts(fold, "train")) + len(texts(fold, "validation")) == 45


def test_few_labels_of_a_fold(table: str) -> None:
    few = LabelledSubset(Fold(Table(table), 5, 1, seed=1), 6, seed=1)
    assert len(texts(few, "train")) == 6
    assert len(texts(few, "unlabelled_train")) + 6 == len(texts(few.corpus, "train"))


def test_a_run_is_made_from_the_whole_corpus(table: str) -> None:
    config = composed("data=csv", f"data.corpus.train={table}", "folds=5", "fold=1")
    assert origin_of(config, Fold(Table(table), 5, 1, 1))["data"] == Table(table).fingerprint


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), min_size=6, max_size=60),
    st.integers(2, 6),
    st.integers(0, 3),
)
def test_copies_are_in_one_part_and_no_part_is_starved(
    documents: list[tuple[str, int]], folds: int, seed: int
) -> None:
    classes, keys = zip(*documents, strict=True)
    parts = parts_of(classes, keys, folds, seed)
    assert len(set(zip(keys, parts, strict=True))) == len(set(keys))
    if len(set(keys)) == len(keys):
        for name in "ab":
            counts = Counter(part for part, own in zip(parts, classes, strict=True) if own == name)
            sizes = [counts[part] for part in range(folds)]
            assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["folds=5"], "-m folds=5"),
        (["folds=1", "fold=1"], "expected a number of parts from 2 on"),
        (["folds=5", "fold=6"], "fold=1 to fold=5"),
        (["fold=1"], "folds=None"),
        (["tags=paper"], r"tags=\[baseline,paper\]"),
    ],
)
def test_wrong_keys_are_told(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check({key: value for key, value in composed(*words).items() if key not in NOT_OF_A_RUN})
    check_folds(None, None)


def test_what_can_not_be_divided_is_refused(table: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none is left"):
        Fold(Table(table), 2, 1, seed=1)
    with pytest.raises(DataError, match="40 different texts"):
        texts(Fold(Table(table), 41, 1, seed=1), "test")
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text("some text\n", encoding="utf-8")
    split = PlainText(*(str(tmp_path / f"{name}.txt") for name in ("a", "b", "c")))
    with pytest.raises(ConfigError, match="holds no documents out"):
        Fold(split, 5, 1, seed=1)


def test_unlabelled_documents_are_divided_too(table: str) -> None:
    fold = Fold(Table(table, label_column=None), 5, 1, seed=1)
    assert {document.label for document in fold.documents("test")} == {None}
    assert Document("a text").label is None

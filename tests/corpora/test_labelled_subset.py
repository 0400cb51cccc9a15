"""Fewer labels, the same text: what a classifier sees and what is left to a language model."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.corpora.corpus import Corpus, Document
from rnnlab.corpora.labelled_subset import LabelledSubset, stratified_order
from rnnlab.errors import ConfigError, DataError


class Films(Corpus):
    """Invented: 60 training documents of two classes, twice as many of the first."""

    name = "films"
    splits = ("train", "validation", "test", "notes")
    unlabelled = ("notes",)
    fingerprint = "films 1"

    def __init__(self, labels: tuple[str, ...] = ("dull", "fine")) -> None:
        self._labels = labels
        self.passes = 0

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def held_out(self) -> Mapping[str, float]:
        return {"validation": 0.1}

    def documents(self, split: str) -> Iterator[Document]:
        self.passes += 1
        for i in range({"train": 60, "validation": 6, "test": 9, "notes": 5}[split]):
            label = None if split == "notes" or not self.labels else int(i % 3 == 0)
            yield Document(f"{split} {i}", label)


def test_train_is_stratified_and_the_rest_keeps_its_text_without_a_label() -> None:
    corpus = LabelledSubset(Films(), labelled=12, seed=1)
    kept = list(corpus.documents("train"))
    assert Counter(document.label for document in kept) == {0: 8, 1: 4}
    rest = list(corpus.documents("unlabelled_train"))
    assert {document.label for document in rest} == {None}
    assert {document.text for document in [*kept, *rest]} == {d.text for d in Films().documents("train")}
    assert len(kept) + len(rest) == 60
    numbers = [int(document.text.split()[1]) for document in kept]
    assert numbers == sorted(numbers)


def test_what_a_language_model_may_read_is_all_but_validation_and_test() -> None:
    corpus = LabelledSubset(Films(), labelled=12, seed=1)
    assert corpus.unlabelled == ("unlabelled_train", "notes")
    read = {d.text for split in ("train", *corpus.unlabelled) for d in corpus.documents(split)}
    whole = Films()
    assert read == {d.text for split in ("train", "notes") for d in whole.documents(split)}


def test_other_splits_are_the_corpus_s_own() -> None:
    corpus = LabelledSubset(Films(), labelled=12, seed=1)
    for split in ("validation", "test", "notes"):
        assert list(corpus.documents(split)) == list(Films().documents(split))
    assert (corpus.name, corpus.labels, corpus.held_out) == ("films", ("dull", "fine"), {"validation": 0.1})
    with pytest.raises(DataError, match="no split 'tests'"):
        list(corpus.documents("tests"))


def test_several_splits_come_from_one_pass_in_the_order_asked_for() -> None:
    films = Films()
    corpus = LabelledSubset(films, labelled=12, seed=1)
    asked = ("unlabelled_train", "test", "train")
    pairs = list(corpus.all_documents(asked))
    assert films.passes == 2
    assert list(dict.fromkeys(split for split, _ in pairs)) == list(asked)
    for split in asked:
        assert [d for its, d in pairs if its == split] == list(corpus.documents(split))


def test_the_seed_draws_and_the_smaller_is_part_of_the_larger() -> None:
    def drawn(labelled: int, seed: int) -> set[str]:
        return {document.text for document in LabelledSubset(Films(), labelled, seed).documents("train")}

    assert drawn(10, 1) == drawn(10, 1) != drawn(10, 2)
    assert drawn(4, 1) < drawn(10, 1) < drawn(31, 1) < drawn(60, 1)


def test_all_that_decides_is_in_the_fingerprint() -> None:
    settings = [(12, 1), (13, 1), (12, 2)]
    assert len({LabelledSubset(Films(), n, seed).fingerprint for n, seed in settings} | {"films 1"}) == 4


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 9))
def test_every_beginning_has_its_share_of_every_class(classes: list[int], seed: int) -> None:
    order = stratified_order(classes, seed)
    assert sorted(order) == list(range(len(classes)))
    sizes = Counter(classes)
    for count in range(len(sizes), len(classes) + 1):
        seen = Counter(classes[number] for number in order[:count])
        assert set(seen) == set(sizes)
        for name, size in sizes.items():
            assert abs(seen[name] - count * size / len(classes)) <= len(sizes)


@pytest.mark.parametrize(
    ("labelled", "labels", "message"),
    [
        (61, ("dull", "fine"), r"labelled=61: films has 60 training documents. null"),
        (1, ("dull", "fine"), "has 2 classes"),
        (5, (), "have no labels"),
    ],
)
def test_what_can_t_be_drawn_is_told(labelled: int, labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        list(LabelledSubset(Films(labels), labelled, seed=1).documents("train"))


@pytest.mark.parametrize("labelled", [0, -3, True, 2.5, "many"])
def test_a_number_that_is_none_is_refused_at_once(labelled: int) -> None:
    with pytest.raises(ConfigError, match=rf"data\.labelled={labelled}"):
        LabelledSubset(Films(), labelled, seed=1)

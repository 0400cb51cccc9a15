from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.corpora.holdout import check_fractions, split_by_class
from rnnlab.errors import ConfigError

FRACTIONS = {"validation": 0.1, "test": 0.2}


def test_each_class_gives_its_share() -> None:
    classes = ["a"] * 100 + ["b"] * 50
    counts = Counter(zip(classes, split_by_class(classes, FRACTIONS, seed=3), strict=True))
    assert counts == {
        ("a", "train"): 70,
        ("a", "validation"): 10,
        ("a", "test"): 20,
        ("b", "train"): 35,
        ("b", "validation"): 5,
        ("b", "test"): 10,
    }


def test_the_draw_is_pinned() -> None:
    # These come from Python's promise about random.random(); a change would mix train with test of old runs.
    held_out = [
        i for i, split in enumerate(split_by_class([0] * 30, {"test": 0.2}, seed=0)) if split == "test"
    ]
    assert held_out == [3, 7, 12, 15, 20, 25]


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 5))
def test_without_copies_texts_change_nothing(classes: list[int], seed: int) -> None:
    texts = [f"text {i}" for i in range(len(classes))]
    assert split_by_class(classes, FRACTIONS, seed, texts) == split_by_class(classes, FRACTIONS, seed)


@given(st.lists(st.integers(0, 12), min_size=13, max_size=80), st.integers(0, 5))
def test_copies_of_a_text_are_in_one_split(texts: list[int], seed: int) -> None:
    texts = [*texts, 0, 1, 2]  # a class has a text for each split at least
    assigned = split_by_class([0] * len(texts), FRACTIONS, seed, texts)
    assert len(set(zip(texts, assigned, strict=True))) == len(set(texts))
    assert set(assigned) == {"train", "validation", "test"}


def test_a_text_with_many_copies_does_not_flood_a_split() -> None:
    texts = [0] * 50 + list(range(1, 51))
    for seed in range(10):
        counts = Counter(split_by_class([0] * 100, FRACTIONS, seed, texts))
        assert counts == {"train": 70, "validation": 10, "test": 20}


def test_another_seed_draws_others() -> None:
    classes = [0, 1] * 50
    assert split_by_class(classes, FRACTIONS, 0) == split_by_class(classes, FRACTIONS, 0)
    assert split_by_class(classes, FRACTIONS, 0) != split_by_class(classes, FRACTIONS, 1)


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 5))
def test_every_class_is_trained_on_and_fills_the_splits_that_it_can(classes: list[int], seed: int) -> None:
    assigned = split_by_class(classes, FRACTIONS, seed)
    assert len(assigned) == len(classes)
    for name, size in Counter(classes).items():
        splits = {split for split, its_class in zip(assigned, classes, strict=True) if its_class == name}
        assert splits == set(("train", "validation", "test")[: min(size, 3)])


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0])
def test_a_share_out_of_range_names_the_setting(fraction: float) -> None:
    with pytest.raises(ConfigError, match=rf"data\.corpus\.validation is {fraction}"):
        check_fractions({"validation": fraction})


def test_shares_that_leave_nothing() -> None:
    with pytest.raises(ConfigError, match=r"validation 0\.5 and .*test 0\.5 leave nothing to train on"):
        check_fractions({"validation": 0.5, "test": 0.5})

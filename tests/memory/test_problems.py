"""What the memory problems ask, and at which distance."""

import numpy as np
import pytest

from rnnlab.corpora.memory_problems import Adding, Copy, FirstToken, MemoryProblem, Parity
from rnnlab.errors import ConfigError

PROBLEMS: list[MemoryProblem] = [Adding(37), Copy(12, items=3), FirstToken(9), Parity(9)]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_sequences_have_the_announced_shapes_and_follow_from_the_generator(problem: MemoryProblem) -> None:
    made = problem.sequences(50, np.random.default_rng(3))
    again = problem.sequences(50, np.random.default_rng(3))
    other = problem.sequences(50, np.random.default_rng(4))
    assert made.inputs.shape == (50, made.lengths.max(), problem.input_size)
    assert made.inputs.dtype == np.float32
    assert made.answers.shape == (50, problem.answers)
    assert all(np.array_equal(one, two) for one, two in zip(made, again, strict=True))
    assert not np.array_equal(made.answers, other.answers)


def test_the_first_token_is_asked_for_after_the_distance() -> None:
    made = FirstToken(9, symbols=5, distractors=3).sequences(200, np.random.default_rng(1))
    ids = made.inputs.argmax(axis=2)
    assert (made.inputs.sum(axis=2) == 1).all()
    assert (made.lengths == 10).all()
    assert np.array_equal(ids[:, 0], made.answers[:, 0])
    assert set(made.answers.ravel()) == set(range(5))
    assert set(ids[:, 1:].ravel()) == {5, 6, 7}


def test_each_copied_symbol_is_asked_for_after_the_distance() -> None:
    made = Copy(12, items=3, symbols=4).sequences(100, np.random.default_rng(1))
    ids = made.inputs.argmax(axis=2)
    assert (made.lengths == 15).all()
    for place in range(3):
        assert np.array_equal(ids[:, place], made.answers[:, place])
        assert (ids[:, place + 12] == 5).all()
    assert (ids[:, 3:12] == 4).all()


def test_parity_is_asked_of_longer_sequences_in_the_test_split() -> None:
    problem = Parity(6, beyond=3)
    for drawn, lengths in ((problem.sequences, range(1, 7)), (problem.test_sequences, range(7, 19))):
        made = drawn(400, np.random.default_rng(1))
        assert set(made.lengths) == set(lengths)
        for row, length, answer in zip(made.inputs, made.lengths, made.answers, strict=True):
            assert (row[:length].sum(axis=1) == 1).all()
            assert not row[length:].any()
            assert answer == row[:, 1].sum() % 2
        assert 0.4 < made.answers.mean() < 0.6
    assert set(Parity(6, beyond=1).test_sequences(9, np.random.default_rng(1)).lengths) == {6}


@pytest.mark.parametrize("distance", [4, 10, 37, 200])
def test_two_numbers_are_marked_the_first_at_least_the_distance_before_the_end(distance: int) -> None:
    made = Adding(distance).sequences(500, np.random.default_rng(1))
    numbers, marks = made.inputs[:, :, 0], made.inputs[:, :, 1]
    assert (marks.sum(axis=1) == 2).all()
    np.testing.assert_allclose((numbers * marks).sum(axis=1), made.answers[:, 0], rtol=1e-6)
    first = marks.argmax(axis=1)
    second = marks.shape[1] - 1 - marks[:, ::-1].argmax(axis=1)
    assert (made.lengths - 1 - first >= distance).all()
    assert (first < second).all()
    assert (second <= made.lengths // 2).all()
    assert (made.lengths <= max(distance + 1, 1.1 * distance)).all()
    padding = np.arange(marks.shape[1]) >= made.lengths[:, None]
    assert (made.inputs[padding] == 0).all()
    assert abs(float(((made.answers - 1) ** 2).mean()) - 1 / 6) < 0.02


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Adding(3), r"data\.distance=3: expected a whole number from 4"),
        (lambda: Copy(9), r"data\.distance=9: expected a whole number from 10"),
        (lambda: FirstToken(1.5), r"data\.distance=1\.5"),  # type: ignore[arg-type]
        (lambda: FirstToken(5, symbols=1), r"data\.corpus\.symbols=1: expected a whole number from 2"),
    ],
)
def test_a_problem_that_asks_nothing_is_refused(make: object, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make()  # type: ignore[operator]

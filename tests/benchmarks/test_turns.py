from functools import partial

import pytest

from rnnlab.benchmarks.turns import Pass, Turn, paired, summary, take_turns


def noted(name: str, order: list[str]) -> Turn:
    order.append(name)
    return Turn(training=Pass(seconds=1.0, tokens=len(order)), inference=None, loss=0.0)


def test_contestants_have_their_turns_round_by_round_and_each_begins_one() -> None:
    order: list[str] = []
    turns = take_turns(
        {name: partial(noted, name, order) for name in "abc"}, dict(zip("abc", (3, 3, 1), strict=True))
    )
    assert "".join(order) == "abc" + "ba" + "ab"
    assert [turn.training.tokens for turn in turns["b"]] == [2, 4, 7]


def test_rate_is_tokens_by_seconds() -> None:
    assert Pass(seconds=0.5, tokens=100).rate == 200


def test_ratios_are_of_turns_of_the_same_round() -> None:
    # The machine was twice as slow in the second round: unpaired medians would say 1.5.
    assert paired([4.0, 2.0, 4.0], [2.0, 1.0, 2.0]) == summary([2.0, 2.0, 2.0])
    assert paired([4.0, 2.0, 4.0], [1.0]) == summary([4.0])


def test_summary_keeps_every_value() -> None:
    found = summary([5.0, 1.0, 3.0, 2.0])
    assert found["median"] == pytest.approx(2.5)
    assert (found["lowest"], found["highest"]) == (1.0, 5.0)
    assert found["values"] == [5.0, 1.0, 3.0, 2.0]

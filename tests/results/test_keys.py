"""What tells runs apart is named, in few letters; what only follows is not."""

import pytest

from rnnlab.errors import ConfigError
from rnnlab.results.conditions import conditions
from rnnlab.results.differing_keys import differing_keys, full_name, short_names
from rnnlab.results.found_runs import flat, found_under, told_by_words
from tests.results.run_makers import config, finished


def flats(*contents: dict[str, object]) -> list[dict[str, object]]:
    return [dict(flat(content)) for content in contents]


def test_only_differing_keys_and_not_the_seed() -> None:
    assert differing_keys(flats(config(seed=1), config(seed=2))) == []
    assert differing_keys(flats(config(lr=0.1), config(lr=0.2, seed=5))) == ["optimizer.lr"]


def test_what_a_choice_brings_along_is_left_out() -> None:
    assert differing_keys(flats(config("gru"), config("rnn"))) == ["model.cell"]


def test_what_was_set_besides_the_choice_is_kept() -> None:
    found = differing_keys(flats(config("gru"), config("rnn"), config("rnn", nonlinearity="relu")))
    assert found == ["model.cell", "model.nonlinearity"]
    moved_together = differing_keys(flats(config(lr=0.1, hidden_size=8), config(lr=0.2, hidden_size=16)))
    assert moved_together == ["model.hidden_size", "optimizer.lr"]


def test_a_class_alone_is_kept() -> None:
    found = differing_keys(flats(config(_target_="a.Encoder"), config(_target_="b.Encoder")))
    assert found == ["model._target_"]


def test_a_class_is_shown_rather_than_its_fingerprint() -> None:
    own = [{"model._target_": f"own.{name}", "fingerprint.code": name.lower()} for name in ("Conv", "Gate")]
    assert differing_keys(own) == ["model._target_"]
    edited = [*own, {"model._target_": "own.Gate", "fingerprint.code": "other"}]
    assert "fingerprint.code" in differing_keys(edited)


def test_one_setting_in_two_places_is_shown_once() -> None:
    twice = [{"data.distance": n, "data.corpus.distance": n, "seed": n} for n in (1, 2)]
    assert differing_keys(twice) == ["data.distance"]
    others = [
        {"data.distance": 1, "data.corpus.distance": 1},
        {"data.distance": 2, "data.corpus.distance": 3},
    ]
    assert differing_keys(others) == ["data.distance", "data.corpus.distance"]


def test_equal_numbers_of_other_kinds_differ() -> None:
    assert differing_keys([{"limit": 1}, {"limit": 1.0}]) == ["limit"]


def test_short_names_are_of_no_other_key() -> None:
    known = ["model.dropout", "task.dropout", "model.cell", "seed"]
    names = short_names(["model.dropout", "model.cell"], known)
    assert names == {"model.dropout": "model.dropout", "model.cell": "cell"}
    assert full_name("cell", known) == "model.cell"
    assert full_name("model.dropout", known) == "model.dropout"
    with pytest.raises(ConfigError, match=r"several keys: model\.dropout, task\.dropout"):
        full_name("dropout", known)
    with pytest.raises(ConfigError, match="Did you mean"):
        full_name("model.cel", known)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cell=rnn", [2]),
        ("cell!=rnn", [0, 1]),
        ("lr=1e-1", [0, 2]),
        ("lr>=0.2", [1]),
        ("lr<0.2", [0, 2]),
        ("test/accuracy>0.8", [1, 2]),
        ("test/accuracy<=0.8", [0]),
        ("status=finished", [0, 1, 2]),
        ("seconds>10", [1]),
        ("nonlinearity!=tanh", [0, 1]),
    ],
)
def test_conditions(word: str, expected: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    room = tmp_path_factory.mktemp("runs")
    finished(room / "0", config(lr=0.1), 0.8)
    finished(room / "1", config(lr=0.2), 0.9, seconds=20)
    finished(room / "2", config("rnn", lr=0.1), 0.85)
    runs = found_under([room]).runs
    (test,) = conditions([word], runs)
    assert [number for number, run in enumerate(runs) if test.holds(run)] == expected
    for wrong in ("cell", "lr>much", "unheard=1"):
        with pytest.raises(ConfigError):
            conditions([wrong], runs)


def test_words_of_a_job_that_has_no_configuration() -> None:
    gru = dict(flat(config("gru")))
    siblings = [(["model=gru", "optimizer.lr=0.1", "seed=1"], gru)]
    told = told_by_words(["model=gru", "optimizer.lr=0.2", "seed=2"], siblings)
    assert told["model.cell"] == "gru"
    assert told["optimizer.lr"] == 0.2
    assert told["seed"] == 2
    assert "data.name" not in told
    assert "model" not in told_by_words(["model=lstm", "seed=2"], siblings)
    own = told_by_words(["model=gru", "model.hidden_size=-1"], siblings)
    assert own["model.hidden_size"] == -1

"""Names of folders: readable, unique, the same every time, safe everywhere."""

import re
import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.folders import command, with_runs_quoted
from rnnlab.sweeps.overrides import LONGEST, job_name, plain, sweep_name, trial_name

keys = st.from_regex(r"\+{0,2}[a-z][a-z_]{0,8}(\.[a-z][a-z0-9_]{0,8}){0,2}", fullmatch=True)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.from_regex(r"[a-z]{1,4}([_-][a-z0-9.]{1,4}){0,3}", fullmatch=True),
    st.lists(st.integers(), max_size=3),
)
settings = st.dictionaries(keys, values, min_size=1, max_size=4)


def same(one: object, other: object) -> bool:
    """Tell 1, 1.0 and true apart, as configurations do."""
    return repr(one) == repr(other)


@given(settings)
def test_a_name_is_safe_for_file_systems_shells_and_hydra(chosen: dict[str, object]) -> None:
    for name in (
        job_name(list(chosen.items())),
        sweep_name("grid", sorted(chosen), list(chosen.items())),
        trial_name(3, list(chosen.items())),
    ):
        assert re.fullmatch(r"[A-Za-z0-9._+=-]+( [A-Za-z0-9._+=-]+)*", name)
        assert len(name) <= LONGEST
        assert not name.startswith((".", "-"))
        path = f"logs/sweeps/{name}"
        (word,) = with_runs_quoted([f"resume={path}"])
        assert plain(OverridesParser.create().parse_override(word).value()) == path
        assert shlex.split(command("train", f"resume={path}"))[2:] in ([word], [f"resume='{path}'"])


@given(keys, st.lists(values, min_size=2, max_size=6), st.lists(values, min_size=1, max_size=3))
def test_different_values_have_different_names(key: str, first: list[object], second: list[object]) -> None:
    combinations = [[(key, one), ("z.other_key", other)] for one in first for other in second]
    names = [(job_name(chosen), sweep_name("grid", ["seed"], chosen)) for chosen in combinations]
    for number, chosen in enumerate(combinations):
        for before, earlier in enumerate(combinations[:number]):
            for name, other in zip(names[number], names[before], strict=True):
                assert (name.lower() == other.lower()) == same(chosen, earlier)


@given(settings, settings)
def test_sweeps_with_other_fixed_keys_have_other_names(
    one: dict[str, object], other: dict[str, object]
) -> None:
    names = [sweep_name("grid", ["seed"], list(chosen.items())).lower() for chosen in (one, other)]
    assert (names[0] == names[1]) == same(sorted(one.items(), key=repr), sorted(other.items(), key=repr))


@given(settings, st.randoms())
def test_the_order_of_the_command_does_not_matter(chosen: dict[str, object], chance: object) -> None:
    shuffled = list(chosen.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert job_name(shuffled) == job_name(list(chosen.items()))
    assert sweep_name("grid", [key for key, _ in shuffled], shuffled) == sweep_name(
        "grid", list(chosen), list(chosen.items())
    )


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ([("model", "gru"), ("seed", 1)], "gru seed=1"),
        ([("data", "rotten_tomatoes"), ("task.dropout", 0.25)], "rotten_tomatoes dropout=0.25"),
        ([("model.dropout", 0.5), ("task.dropout", 0.25)], "model.dropout=0.5 task.dropout=0.25"),
        ([("optimizer.lr", 1e-5), ("trainer.max_epochs", -1)], "lr=1e-05 max_epochs=-1"),
        ([("task.vectors", None), ("baselines", True)], "baselines=true vectors=null"),
    ],
)
def test_usual_values_are_read_off_the_name(chosen: list[tuple[str, object]], name: str) -> None:
    assert job_name(chosen) == name


def test_the_swept_values_are_no_part_of_the_sweep() -> None:
    assert sweep_name("grid", ["model", "seed"], []) == "model+seed"
    assert sweep_name("optuna", ["seed"], [], space={"seed": [1, 2]}) != sweep_name(
        "optuna", ["seed"], [], space={"seed": [1, 3]}
    )

"""A search goes on towards its number of trials, and leaves its best configuration behind."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers
from rnnlab.training.run_folder import RunFolder
from tests.sweeps import pretend
from tests.sweeps.conftest import Commanded

optuna = pytest.importorskip("optuna")
Output = pytest.CaptureFixture[str]
SPACE = ["model=rnn,gru", "optimizer.lr=tag(log,interval(1e-4,1e-1))"]


def trials(commanded: Commanded) -> list[Any]:
    from rnnlab.sweeps.storage import Storage, open_study

    return open_study(Storage("sqlite", "sweep", commanded.sweep().path)).get_trials()


def composed(*overrides: str, groups: Path) -> dict[str, Any]:
    register_resolvers()
    GlobalHydra.instance().clear()
    searched = f"hydra.searchpath=[file://{groups}]"
    with hydra.initialize_config_dir(str(pretend.CONF), version_base="1.3"):
        config: Any = OmegaConf.to_container(
            hydra.compose("train", overrides=[*overrides, searched]), resolve=True
        )
    return {key: section for key, section in config.items() if key not in ("sweep", "hydra")}


def test_a_search_stops_goes_on_and_writes_down_its_best(commanded: Commanded, capsys: Output) -> None:
    def search(total: int) -> int:
        words = ["sweep=optuna", f"sweep.trials={total}", "sweep.random_trials=2", "trainer.max_epochs=2"]
        return commanded.run(*words, "+scheduler.made_up=7", *SPACE)

    assert search(3) == 0
    before = {trial.number: trial.params for trial in trials(commanded)}
    assert search(5) == 0
    after = {trial.number: trial.params for trial in trials(commanded)}
    assert sorted(after) == [0, 1, 2, 3, 4]
    assert {number: after[number] for number in before} == before
    assert len(commanded.jobs()) == 5
    assert sum(line.endswith("started") for line in commanded.noted()) == 5
    assert search(5) == 0
    assert sum(line.endswith("started") for line in commanded.noted()) == 5

    folder = commanded.sweep()
    assert {path.name for path in folder.figures.iterdir()} == {
        f"{name}.{ending}" for name in ("history", "importances") for ending in ("png", "svg")
    }
    best = max(trials(commanded), key=lambda trial: trial.value)
    (name,) = [name for name in commanded.jobs() if name.startswith(f"{best.number:04d} ")]
    assert f"Best: Trial {best.number} of 5" in capsys.readouterr().out
    stored = yaml.safe_load((folder.path / name / "config.yaml").read_text())
    assert composed("experiment=best", groups=folder.best_experiment.parents[1]) == stored


def test_a_stopped_trial_is_gone_on_with(commanded: Commanded) -> None:
    words = ["sweep=optuna", "sweep.trials=2", "sweep.pruner=none", "seed=choice(15)", *SPACE]
    for _ in range(2):
        assert commanded.run(*words) == 130  # each is stopped in its second epoch
    assert commanded.run(*words) == 0
    assert [trial.state.name for trial in trials(commanded)] == ["COMPLETE"] * 2
    for name in commanded.jobs():
        lines = [line for line in commanded.noted() if line.startswith(name)]
        assert lines == [f"{name} started", f"{name} resumed", f"{name} finished"]


def test_a_failed_trial_is_tried_again_with_the_next_command(commanded: Commanded, capsys: Output) -> None:
    words = ["sweep=optuna", "sweep.trials=2", "seed=choice(13)", "optimizer.lr=interval(0.01,0.1)"]
    assert commanded.run(*words) == 1
    assert "No luck with seed 13." in capsys.readouterr().out
    assert [trial.state.name for trial in trials(commanded)] == ["FAIL"] * 2
    assert commanded.run(*words) == 1
    first, second, again, again_too = trials(commanded)
    assert [again.params, again_too.params] == [first.params, second.params]
    assert len(commanded.jobs()) == 4


@pytest.mark.thorough
def test_the_same_values_are_not_trained_twice(commanded: Commanded) -> None:
    assert commanded.run("sweep=optuna", "sweep.trials=8", "optimizer.lr=0.1,0.2") == 0
    assert len(trials(commanded)) == 8
    assert len(commanded.jobs()) == 2


@pytest.mark.parametrize(
    "harm",
    [
        "a folder",
        *(
            pytest.param(harm, marks=pytest.mark.thorough)
            for harm in ("cut short", "something else", "another search's")
        ),
    ],
)
def test_a_damaged_database_ends_with_status_2(harm: str, commanded: Commanded, capsys: Output) -> None:
    words = ["sweep=optuna", "sweep.trials=1", "trainer.max_epochs=1", *SPACE]
    assert commanded.run(*words) == 0
    storage = commanded.sweep().path / "trials.sqlite"
    whole = storage.read_bytes()
    if harm == "a folder":
        storage.unlink()
        storage.mkdir()
    elif harm == "another search's":
        with closing(sqlite3.connect(storage)) as opened, opened:
            opened.execute("update trial_params set param_name = 'other' where param_name = 'model'")
    else:
        storage.write_bytes(whole[: len(whole) // 2] if harm == "cut short" else b"trials")
    capsys.readouterr()
    assert commanded.run(*words) == 2
    said = capsys.readouterr().err.replace("\n", "")
    assert "trials.sqlite is damaged: " in said
    assert "sweep.restart=true" in said
    if harm == "a folder":  # what is in the way of a new one most
        assert commanded.run(*words, "sweep.restart=true") == 0


def test_a_journal_is_gone_on_with_and_no_other_storage_is(commanded: Commanded, capsys: Output) -> None:
    words = ["sweep=optuna", "sweep.pruner=none", "optimizer.lr=0.1,0.2,0.3"]
    assert commanded.run(*words, "sweep.storage=journal", "sweep.trials=1") == 0
    assert commanded.run(*words, "sweep.storage=journal", "sweep.trials=2") == 0
    assert len(commanded.jobs()) == 2
    assert not (commanded.sweep().path / "trials.sqlite").exists()
    assert commanded.run(*words, "sweep.trials=3") == 2
    assert "sweep.storage=journal. Say that" in capsys.readouterr().err
    (commanded.sweep().path / "trials.journal").write_text("no\ntrials\n")
    assert commanded.run(*words, "sweep.storage=journal", "sweep.trials=3") == 2
    assert "trials.journal is damaged: " in capsys.readouterr().err.replace("\n", "")


def test_a_server_that_does_not_answer_ends_with_status_2(commanded: Commanded, capsys: Output) -> None:
    pytest.importorskip("psycopg")
    address = f"postgresql+psycopg://nobody@/trials?host={commanded.folder}"
    assert commanded.run("sweep=optuna", f"sweep.storage='{address}'", "optimizer.lr=0.1,0.2") == 2
    assert "the trials' database fails: connection" in capsys.readouterr().err.replace("\n", " ")
    assert not commanded.noted()


@pytest.mark.thorough
def test_another_space_is_another_search(commanded: Commanded) -> None:
    assert commanded.run("sweep=optuna", "sweep.trials=1", "optimizer.lr=0.1,0.2") == 0
    assert commanded.run("sweep=optuna", "sweep.trials=1", "optimizer.lr=0.1,0.3") == 0
    assert len(list(commanded.folder.glob("logs/sweeps/*/*/*/trials.sqlite"))) == 2


@pytest.mark.thorough
def test_a_search_does_not_go_on_with_other_data(commanded: Commanded, capsys: Output) -> None:
    table = commanded.folder / "reviews.csv"
    table.write_text("text,label\nfine,good\ndull,bad\n")
    words = ["sweep=optuna", "sweep.random_trials=2", "data=csv", f"data.corpus.train={table}", *SPACE]
    assert commanded.run(*words, "sweep.trials=2") == 0
    table.write_text("text,label\nfine,bad\ndull,good\n")
    assert commanded.run(*words, "sweep.trials=4") == 2
    assert "was made from what has changed since: data." in capsys.readouterr().err
    assert len(trials(commanded)) == 2
    assert commanded.run(*words, "sweep.trials=3", "sweep.restart=true") == 0
    assert sum(line.endswith("started") for line in commanded.noted()) == 2 + 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep.trials=0"], "sweep.trials=0: expected a whole number from 1"),
        (["sweep.pruner=medain"], "Did you mean median"),
        (["sweep.trails=3"], "Did you mean sweep.trials"),
        (["model=rnn,gruu"], "model=gruu: there is no such choice"),
        (["sweep.storage=jornal"], "Did you mean journal"),
        (["sweep.storage=postgresql+psycopg://me:secret@host/db"], "has a password in it"),
        (["sweep.storage=sqlite:///trials.db"], "leave the key out"),
        (["sweep.storage=oracel://me@host/db"], "no driver for it is installed"),
        (["task.dropout=interval(1,0)"], "task.dropout=interval(1,0)"),
        (["task.dropout=tag(logg,interval(0,1))"], "the only tag is log"),
        (["task.dropout=0.1,0.1"], "has the same value twice"),
    ],
)
def test_a_search_that_makes_no_sense_ends_with_status_2(
    words: list[str], message: str, commanded: Commanded, capsys: Output
) -> None:
    assert commanded.run("sweep=optuna", "seed=range(1,9)", *words) == 2
    assert message in capsys.readouterr().err
    assert not commanded.noted()


def test_a_trial_that_is_pruned_can_be_gone_on_with(commanded: Commanded, monkeypatch: Any) -> None:
    from rnnlab.sweeps.trial_link import Pruned

    real = pretend.pretend

    def pruned(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
        if config["optimizer"]["lr"] != 0.1:
            return real(config, folder, overrides)
        RunFolder(folder).begin({key: part for key, part in config.items() if key != "sweep"})
        RunFolder(folder).checkpoints.mkdir()
        RunFolder(folder).last.write_text("1")
        raise Pruned("No hope.")

    monkeypatch.setattr(pretend, "pretend", pruned)
    assert commanded.run("sweep=optuna", "sweep.trials=6", "optimizer.lr=0.1,0.2") == 0
    folder = commanded.sweep()
    told = yaml.safe_load(folder.facts_file.read_text())["pruned"]
    assert {trial.state.name for trial in trials(commanded)} == {"COMPLETE", "PRUNED"}
    (hopeless,) = [name for name in commanded.jobs() if name.endswith("lr=0.1")]
    assert hopeless in told
    assert RunFolder(folder.path / hopeless).state().name == "interrupted"

"""A grid goes on where it was cut off."""

import re
import sys

import pytest
import yaml

from rnnlab.results.report import compared
from rnnlab.training.run_folder import RunFolder
from tests.sweeps.conftest import Commanded

Output = pytest.CaptureFixture[str]


@pytest.mark.smoke
@pytest.mark.parametrize(
    "content",
    [
        '{"validation": {"accuracy": "good"}}',
        *(pytest.param(content, marks=pytest.mark.thorough) for content in ("[1]", "{")),
    ],
)
def test_damaged_figures_are_told_and_the_other_jobs_are_shown(
    content: str, commanded: Commanded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commanded.run("seed=1,2") == 0
    job = commanded.sweep().path / commanded.jobs()[0]
    (job / "metrics.json").write_text(content)
    capsys.readouterr()
    assert commanded.run("seed=1,2") == 1
    said = capsys.readouterr().out
    assert "1 of them done" in said or "2 of them done" in said
    assert "metrics.json is damaged: " in said
    assert commanded.jobs()[1] in said


def test_finished_jobs_are_skipped_and_new_ones_added(commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("model=rnn,gru", "trainer.max_epochs=2") == 0
    assert commanded.jobs() == ["gru", "rnn"]
    assert "tensorboard" not in capsys.readouterr().out  # these jobs draw no curves
    (commanded.sweep().path / "rnn" / "events.out.tfevents.1").touch()
    assert commanded.run("trainer.max_epochs=2", "model=lstm,rnn,gru") == 0
    assert commanded.jobs() == ["gru", "lstm", "rnn"]
    assert [line for line in commanded.noted() if line.endswith("started")] == [
        "rnn started",
        "gru started",
        "lstm started",
    ]
    said = capsys.readouterr().out
    assert said.count("finished before") == 2
    assert "tensorboard --logdir" in said
    told = yaml.safe_load(commanded.sweep().facts_file.read_text())
    assert told["jobs"]["lstm"] == ["trainer.max_epochs=2", "model=lstm"]
    assert (told["swept"], told["monitor"], told["mode"]) == (["model"], "validation/accuracy", "max")


def test_one_failing_job_does_not_end_the_others(commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("seed=1,13,2") == 1
    told = capsys.readouterr()
    assert "No luck with seed 13." in told.out
    assert "1 of 3 jobs failed" in told.err
    states = {name: RunFolder(commanded.sweep().path / name).state() for name in commanded.jobs()}
    assert {name: state.name for name, state in states.items()} == {
        "seed=1": "finished",
        "seed=13": "failed",
        "seed=2": "finished",
    }
    assert states["seed=13"].reason == "No luck with seed 13."
    assert commanded.run("seed=1,13,2") == 1
    assert commanded.noted().count("seed=13 started") == 2
    assert commanded.noted().count("seed=1 started") == 1


def test_of_many_jobs_the_best_and_what_failed_are_shown(
    commanded: Commanded, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnlab.sweeps.report.MOST", 2)
    assert commanded.run("optimizer.lr=0.5,0.02,0.9,0.01", "trainer.max_epochs=1") == 0
    told = capsys.readouterr().out
    assert re.findall(r"lr=[\d.]+", told.partition("Sweep in")[2].partition("Next:")[0]) == [
        "lr=0.01",
        "lr=0.02",
    ]
    assert "2 more are done; these are the best." in told


def test_a_choice_that_does_not_exist_fails_alone_and_is_told_first(
    commanded: Commanded, capsys: Output
) -> None:
    assert commanded.run("model=gru,gruu") == 1
    assert commanded.noted() == ["gru started", "gru finished"]
    told = capsys.readouterr().out
    assert told.startswith("gruu can't start: ")
    assert told.count("model=gruu: there is no such choice") == 2  # and in the table at the end
    state = RunFolder(commanded.sweep().path / "gruu").state()
    assert state.name == "failed"
    assert "model=gruu: there is no such choice" in state.reason


def test_composing_many_jobs_is_said(
    commanded: Commanded, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnlab.sweeps.sweep.MANY", 3)
    assert commanded.run("seed=1,2", "trainer.max_epochs=1") == 0
    assert "Composing" not in capsys.readouterr().out
    assert commanded.run("seed=1,2,3", "trainer.max_epochs=1") == 0
    assert "Composing the configurations of 3 jobs." in capsys.readouterr().out


@pytest.mark.parametrize(
    "devices", ["2", *(pytest.param(some, marks=pytest.mark.thorough) for some in ("[0,1]", "'0,1'"))]
)
def test_jobs_of_several_processes_are_refused(devices: str, commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("seed=1,2", f"trainer.devices={devices}") == 2
    assert "a sweep's jobs take one device each" in capsys.readouterr().err
    assert commanded.run("seed=1,2", "trainer.devices=[0]", "trainer.max_epochs=2") == 0


def test_a_stopped_sweep_says_how_to_go_on_and_does(commanded: Commanded, capsys: Output) -> None:
    words = ["seed=1,15,2", "trainer.max_epochs=3"]
    assert commanded.run(*words) == 130
    assert (
        "Go on with: python scripts/train.py -m seed=1,15,2 trainer.max_epochs=3" in capsys.readouterr().err
    )
    assert commanded.noted() == ["seed=1 started", "seed=1 finished", "seed=15 started"]
    assert commanded.run(*words) == 0
    assert commanded.noted()[3:] == [
        "seed=15 resumed",
        "seed=15 finished",
        "seed=2 started",
        "seed=2 finished",
    ]
    assert not [path for path in commanded.sweep().attempts.iterdir() if path.is_dir()]


def test_restart_puts_the_old_sweep_aside(commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("seed=1,2") == 0
    old = commanded.sweep().path
    assert commanded.run("seed=1,2", "sweep.restart=true") == 0
    assert commanded.noted().count("seed=1 started") == 2
    (aside,) = old.parent.glob(f"{old.name}.before-*")
    assert (aside / "seed=1" / "metrics.json").is_file()
    assert (old / "seed=1" / "metrics.json").is_file()
    assert "restart" not in yaml.safe_load((old / "sweep.yaml").read_text())["command"]


def test_a_run_of_another_configuration_is_not_taken_for_the_job(
    commanded: Commanded, capsys: Output
) -> None:
    assert commanded.run("seed=1,2") == 0
    stored = commanded.sweep().path / "seed=1" / "config.yaml"
    stored.write_text(stored.read_text().replace("max_epochs", "fewer_epochs"))
    assert commanded.run("seed=1,2") == 1
    assert "started with another configuration" in capsys.readouterr().out
    assert commanded.noted().count("seed=1 started") == 1


def test_a_finished_job_counts_by_its_data_too(commanded: Commanded, capsys: Output) -> None:
    table = commanded.folder / "reviews.csv"
    table.write_text("text,label\nfine,good\ndull,bad\n")
    words = ["data=csv", f"data.corpus.train={table}"]
    assert commanded.run(*words, "seed=1,2") == 0
    assert commanded.run(*words, "seed=1,2") == 0
    assert "changed" not in capsys.readouterr().out
    table.write_text("text,label\nfine,bad\ndull,good\n")
    assert commanded.run(*words, "seed=1,2,3") == 1
    told = capsys.readouterr().out
    assert "Sweep of 3 jobs, in" in told
    assert told.count("made from what has changed since: data.") == 2
    assert commanded.noted().count("seed=1 started") == commanded.noted().count("seed=3 started") == 1
    rows = [line for line in repr(compared(["logs"], metrics="accuracy")).splitlines() if "finished" in line]
    assert len(rows) == 2
    assert "2 finished" in rows[0] + rows[1]
    table.unlink()
    assert commanded.run(*words, "seed=1,2") == 0
    assert "can't be told: There is no file" in capsys.readouterr().out
    table.write_text("text,label\nfine,bad\ndull,good\n")
    assert commanded.run(*words, "seed=1,2,3", "sweep.restart=true") == 0
    assert commanded.noted().count("seed=1 started") == 2


def test_a_finished_job_counts_by_the_users_code_too(
    commanded: Commanded, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(commanded.folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (commanded.folder / "reviews.csv").write_text("text,label\nfine,good\ndull,bad\n")
    words = ["data=csv", "data.corpus.train=reviews.csv", "model=custom", "model._target_=swept_cell.Cell"]
    for code, status in (("return 1", 0), ("return 1  # one", 0), ("return 2", 1)):
        (commanded.folder / "swept_cell.py").write_text(f"class Cell:\n    def f(self):\n        {code}\n")
        sys.modules.pop("swept_cell", None)
        assert commanded.run(*words, "seed=1,2") == status
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())  # a table may part a sentence
    assert "since: code of swept_cell.Cell." in told
    sys.modules.pop("swept_cell", None)


def test_jobs_from_before_fingerprints_count_and_it_is_said(commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("seed=1,2") == 0
    capsys.readouterr()
    assert commanded.run("seed=1,2") == 0
    told = capsys.readouterr().out
    assert told.count("an rnnlab that kept no fingerprint") == 1
    assert told.count("finished before") == 2


def test_a_run_without_a_checkpoint_starts_anew(commanded: Commanded) -> None:
    assert commanded.run("seed=1,2") == 0
    run = RunFolder(commanded.sweep().path / "seed=2")
    run.metrics_file.unlink()
    run.last.unlink()
    (run.path / "validation").mkdir()
    assert commanded.run("seed=1,2") == 0
    assert commanded.noted()[-2:] == ["seed=2 started", "seed=2 finished"]
    assert not (run.path / "validation").exists()


def test_jobs_keep_the_names_that_an_earlier_rnnlab_gave_them(commanded: Commanded) -> None:
    assert commanded.run("model=gru", "seed=1,2") == 0
    folder = commanded.sweep()
    for number in (1, 2):
        (folder.path / f"seed={number}").rename(folder.path / f"seed-{number}")
    told = folder.facts_file.read_text()
    folder.facts_file.write_text(told.replace("seed=1:", "seed-1:").replace("seed=2:", "seed-2:"))
    assert commanded.run("model=gru", "seed=1,2,3") == 0
    assert commanded.jobs() == ["seed-1", "seed-2", "seed=3"]
    assert commanded.noted().count("seed=1 started") == commanded.noted().count("seed=3 started") == 1
    assert "seed-1 started" not in commanded.noted()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=gru"], "This sweep has no jobs"),
        (["seed=range(1,1)"], "seed=range(1,1) has no values"),
        (["seed=1,2,1"], "the same job twice: seed=1, and again seed=1"),
        (["optimizer.lr=1e-3,0.001"], "the same job twice"),
        (["seed=1,2", "seed=3"], "seed: given twice"),
        (["optimizer.lrr=1,2"], "Did you mean optimizer.lr"),
        (["modle=rnn,gru"], "Did you mean model"),
        (["sweep.restrat=true", "seed=1,2"], "Did you mean sweep.restart"),
        (["sweep.jobs_by=gird", "seed=1,2"], "Did you mean grid"),
        (["optimizer.lr=interval(0,1)"], "sweep=optuna"),
        (["resume=nowhere", "seed=1,2"], "resume= goes on with one run"),
        (["data=csv", "seed=1,2"], "data.corpus.train"),
    ],
)
def test_a_command_that_describes_no_sweep_ends_with_status_2(
    words: list[str], message: str, commanded: Commanded, capsys: Output
) -> None:
    assert commanded.run(*words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not list(commanded.folder.rglob("*.yaml"))


def test_a_single_run_takes_no_word_on_sweeps(commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("sweep=optuna", "sweep.trials=3", many=False) == 2
    assert "sweep=optuna sweep.trials=3: there is no sweep here. Add -m" in capsys.readouterr().err
    assert not commanded.noted()


def test_folds_are_jobs(commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("folds=3", "model=gru,rnn") == 0
    assert len(commanded.jobs()) == 6
    assert commanded.jobs()[0] == "fold=1 gru"
    assert commanded.run("folds=3", "model=gru,rnn") == 0
    assert capsys.readouterr().out.count("finished before") == 6
    assert [row.folds for row in compared([commanded.folder]).rows] == [3, 3]


def test_one_fold_is_no_more_jobs_than_asked_for(commanded: Commanded) -> None:
    assert commanded.run("folds=3", "fold=2", "seed=1,2") == 0
    assert commanded.jobs() == ["seed=1", "seed=2"]


def test_a_search_does_not_choose_among_folds(commanded: Commanded, capsys: Output) -> None:
    assert commanded.run("sweep=optuna", "folds=3", "optimizer.lr=interval(0.001,0.1)") == 2
    assert "Search with fold=1" in capsys.readouterr().err


def test_the_flag_of_a_sweep_may_stand_among_its_words(commanded: Commanded) -> None:
    assert commanded.run("seed=1,2", "-m", "trainer.max_epochs=1", many=False) == 0
    assert commanded.jobs() == ["seed=1", "seed=2"]

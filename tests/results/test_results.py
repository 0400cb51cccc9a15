"""Every run under a folder is in the table, with what has become of it."""

import csv
import io
import json
import math
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from rnnlab.figures.drawing import rendered
from rnnlab.results.found_runs import found_under
from rnnlab.results.grouped import grouped
from rnnlab.results.plot import baseline_line, figure_of_runs
from rnnlab.tasks.choosing import Choice, stated_by
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.memory.task import MemoryTask
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.tasks.task import Task
from tests.results.run_makers import config, damage, finished, interrupted, run, sweep

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def called(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["results.py", *map(str, words)])
        status = 0
        try:
            runpy.run_path(str(ROOT / "scripts" / "results.py"), run_name="__main__")
        except SystemExit as stop:
            status = int(stop.code or 0)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return called


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two cells, three seeds of one and two of the other."""
    for seed, accuracy in ((1, 0.80), (2, 0.82), (3, 0.84)):
        finished(tmp_path / "logs" / f"gru{seed}", config("gru", seed), accuracy, seconds=10.0 * seed)
    for seed, accuracy in ((1, 0.70), (2, 0.72)):
        finished(tmp_path / "logs" / f"rnn{seed}", config("rnn", seed), accuracy, rate=None)
    return tmp_path / "logs"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.smoke
def test_seeds_are_a_row_with_mean_and_spread(logs: Path, command: Command) -> None:
    status, out, _ = command(logs)
    assert status == 0
    (gru,) = (line for line in out.splitlines() if "gru" in line)
    assert "0.8200 ± 0.0200" in gru
    assert "0.8300 ± 0.0200" in gru
    assert "3 finished" in gru
    assert "20.0 s" in gru
    assert "50,000" in gru
    assert "nonlinearity" not in out


def test_csv_has_every_number_in_full(logs: Path, command: Command) -> None:
    _, out, _ = command(logs, "format=csv")
    gru, rnn = rows_of(out)
    assert (gru["model.cell"], gru["seeds"], gru["runs"], gru["status"]) == ("gru", "3", "3", "3 finished")
    assert float(gru["test/accuracy"]) == pytest.approx(0.82)
    assert float(gru["test/accuracy std"]) == pytest.approx(0.02)
    assert float(rnn["validation/accuracy std"]) == pytest.approx(math.sqrt(2e-4))
    assert float(gru["test/f1/good"]) == 0.5
    assert float(gru["seconds"]) == 20
    assert rnn["tokens_per_second"] == ""


def test_folders_may_have_the_names_of_jobs(logs: Path, command: Command) -> None:
    job = (logs / "rnn1").rename(logs / "rnn seed=1")
    status, out, _ = command(job, "format=csv")
    assert status == 0
    assert len(rows_of(out)) == 1


def test_csv_opens_in_pandas(logs: Path, command: Command) -> None:
    pandas = pytest.importorskip("pandas")
    _, out, _ = command(logs, "format=csv")
    table = pandas.read_csv(io.StringIO(out))
    assert table.set_index("model.cell").loc["gru", "test/accuracy"] == pytest.approx(0.82)


def test_each_run_by_itself_sorted_and_filtered(logs: Path, command: Command) -> None:
    words = ["each=true", "where=cell=gru", "where=seed>1", "sort=-test/accuracy", "format=csv"]
    _, out, _ = command(logs, *words)
    assert [(row["run"], row["seed"]) for row in rows_of(out)] == [("gru3", "3"), ("gru2", "2")]
    _, out, _ = command(logs, "sort=test/accuracy", "format=csv")
    assert [row["model.cell"] for row in rows_of(out)] == ["rnn", "gru"]
    assert command(logs, "where=cell=lstm")[0] == 2


def test_grouped_by_any_key(logs: Path, command: Command) -> None:
    finished(logs / "wide", config("gru", hidden_size=64), 0.9)
    _, out, _ = command(logs, "format=csv")
    assert [(row["model.cell"], row["model.hidden_size"]) for row in rows_of(out)] == [
        ("gru", "32"),
        ("gru", "64"),
        ("rnn", "32"),
    ]
    _, out, _ = command(logs, "group=hidden_size", "metrics=accuracy", "format=markdown")
    lines = out.splitlines()
    assert lines[0].startswith("| hidden_size | validation/accuracy | test/accuracy | seeds |")
    assert lines[2].startswith(
        "| 32 | 0.7860 (0.7100 to 0.8500) | 0.7760 (0.7000 to 0.8400) | 3 (2 settings) |"
    )
    assert lines[2].endswith("| 5 finished |")
    assert lines[3].startswith("| 64 | 0.9100 | 0.9000 | 1 |")


def test_runs_of_two_corpora_are_never_averaged(logs: Path, command: Command, tmp_path: Path) -> None:
    for name, data in (("gru1", "a" * 64), ("gru2", "a" * 64), ("gru3", "b" * 64)):
        (logs / name / "origin.json").write_text(json.dumps({"data": data}))
    for words in ([], ["group=cell"], ["group=hidden_size,cell"], ["where=cell=gru"]):
        _, out, err = command(logs, *words, "format=csv")
        found = [(row["fingerprint.data"], row["runs"]) for row in rows_of(out) if row["fingerprint.data"]]
        assert found == [("sha-aaaaaaaa", "2"), ("sha-bbbbbbbb", "1")], words
        assert ("Runs without a fingerprint" in err) is (words != ["where=cell=gru"])
    status, _, err = command(logs, f"plot={tmp_path / 'a.png'}", "x=cell")
    assert status == 2
    assert "made from different data or code (fingerprint.data: " in err
    apart = [f"plot={tmp_path / 'a.png'}", "x=cell", "where=fingerprint.data=sha-aaaaaaaa"]
    assert command(logs, *apart)[0] == 0


def test_code_of_ones_own_parts_rows_and_the_same_origin_does_not(logs: Path, command: Command) -> None:
    for name, code in (("gru1", "a"), ("gru2", "b"), ("gru3", "a"), ("rnn1", "a"), ("rnn2", "a")):
        (logs / name / "origin.json").write_text(json.dumps({"data": "d" * 64, "code of my.Cell": code}))
    _, out, _ = command(logs, "format=csv")
    assert sorted(row["runs"] for row in rows_of(out)) == ["1", "2", "2"]
    assert "fingerprint.data" not in out
    (logs / "gru2" / "origin.json").write_text("{")
    _, out, err = command(logs, "format=csv")
    assert "origin.json is damaged" in err
    assert sorted(row["runs"] for row in rows_of(out)) == ["2", "2"]


def test_only_seeds_make_a_deviation(logs: Path, command: Command) -> None:
    """What is left out of group=… is no chance: no ± over learning rates that is called one over seeds."""
    for seed in (1, 2):
        finished(logs / f"fast{seed}", config("gru", seed, lr=0.5), 0.6 + seed / 100)
    _, out, err = command(logs, "group=cell", "metrics=test/accuracy", "format=markdown")
    gru, rnn = out.splitlines()[2:]
    assert gru.startswith("| gru | 0.7380 (0.6100 to 0.8400) | 3 (2 settings) |")
    assert rnn.startswith("| rnn | 0.7100 ± 0.0141 | 2 |")
    assert "several settings (optimizer.lr) have no ± over seeds" in err.replace("\n", " ")
    _, out, _ = command(logs, "group=cell", "format=csv")
    gru_row, rnn_row = rows_of(out)
    assert (gru_row["test/accuracy std"], gru_row["seeds"], gru_row["runs"]) == ("", "3", "5")
    assert float(rnn_row["test/accuracy std"]) == pytest.approx(0.01 * 2**0.5)
    _, out, err = command(logs, "metrics=test/accuracy", "format=markdown")
    assert "0.8200 ± 0.0200" in out
    assert "several settings" not in err


def test_what_was_run_twice_is_one_seed(logs: Path, command: Command) -> None:
    finished(logs / "again", config("rnn", 2), 0.72)
    finished(logs / "alone" / "first", config("gru", 1, lr=0.5), 0.5)
    finished(logs / "alone" / "second", config("gru", 1, lr=0.5), 0.5)
    _, out, _ = command(logs, "metrics=test/accuracy", "format=markdown")
    rnn = next(line for line in out.splitlines() if "rnn" in line)
    assert "0.7100 ± 0.0141 | 2 |" in rnn
    assert "| 0.5000 | 1 |" in out


def test_unfinished_runs_have_their_best_validation(logs: Path, command: Command) -> None:
    interrupted(logs / "gru4", config("gru", 4), 0.99)
    interrupted(logs / "slow", config("gru", 1, lr=0.5), 0.6)
    run(logs / "empty", config("gru", 1, lr=0.7)).fail("The loss is nan.\nMore about it.")
    _, out, err = command(logs, "format=csv")
    first, second, third, *_ = rows_of(out)
    assert (first["status"], first["seeds"], first["runs"]) == ("3 finished, 1 interrupted", "3", "4")
    assert float(first["test/accuracy"]) == pytest.approx(0.82)
    assert (second["status"], second["validation/accuracy"], second["test/accuracy"]) == (
        "interrupted",
        "0.6",
        "",
    )
    assert (third["status"], third["seeds"]) == ("failed", "0")
    assert "best validation so far" in err
    assert "failed" in err
    assert "The loss is nan." in err
    assert "More about it" not in err


def test_broken_folders_are_told(logs: Path, command: Command) -> None:
    damage(logs / "half")
    (logs / "garbled").mkdir()
    (logs / "garbled" / "config.yaml").write_text("a: [")
    (logs / "strange").mkdir()
    (logs / "strange" / "config.yaml").write_text("seed: 1\n")
    (logs / "strange" / "metrics.json").write_text('{"test": [1]}')
    (logs / "bare" / "checkpoints").mkdir(parents=True)
    known = finished(logs / "odd", config(), 0.5)
    known.finish({**known.metrics(), "labels": 5})
    status, out, err = command(logs, "format=csv", "where=cell=gru")
    assert status == 0
    assert len(rows_of(out)) == 1
    for name in ("half", "garbled", "strange", "bare", "odd"):
        (line,) = (line for line in err.splitlines() if f"{name}:" in line or f"{name} " in line)
        assert "broken" in line


BOMB = "\n".join(
    ["a: &a [1, 1]", *(f"{x}: &{x} [{', '.join([f'*{y}'] * 20)}]" for y, x in pairwise("abcdefgh"))]
)


@pytest.mark.parametrize("content", [BOMB, "[" * 50_000, "a: &a [*a]", "- 1", "model: 3", "{1: 2}"])
def test_one_bad_configuration_does_not_take_the_table_with_it(
    content: str, logs: Path, command: Command
) -> None:
    _, whole, _ = command(logs, "format=csv")
    finished(logs / "bad", config(), 0.5)
    (logs / "bad" / "config.yaml").write_text(content)
    status, out, err = command(logs, "format=csv")
    assert (status, out) == (0, whole)
    assert "broken" in err
    assert "config.yaml is damaged: " in err
    assert "Put back the file as it was" in err


def test_what_is_no_file_is_told(logs: Path, command: Command) -> None:
    finished(logs / "device", config(), 0.5).metrics_file.unlink()
    (logs / "device" / "metrics.json").symlink_to("/dev/zero")
    finished(logs / "folder", config(), 0.5).config_file.unlink()
    (logs / "folder" / "config.yaml").mkdir()
    interrupted(logs / "odd", config(), 0.5).progress_file.write_text('{"best": 3}')
    sweep(logs, {"../../outside": ["seed=1"]})
    status, _, err = command(logs, "format=csv")
    assert status == 0
    told = ("device: .*it is no file", "folder: .*it is a folder", "odd: .*best is a whole number")
    for wanted in (*told, "sweep.yaml is damaged: it names a job '../../outside'"):
        assert re.search(wanted, err), wanted


def test_a_job_that_is_a_link_is_a_job(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "sweep"
    sweep(folder, {"a": ["seed=1"], "b": ["seed=2"], "c": ["seed=3"]})
    finished(folder / "a", config(seed=1), 0.5)
    finished(tmp_path / "elsewhere", config(seed=2), 0.7)
    (folder / "b").symlink_to(tmp_path / "elsewhere")
    (folder / "c").symlink_to("nowhere")
    (folder / "loop").symlink_to(folder)
    status, out, err = command(folder, "format=csv", "each=true")
    assert status == 0
    told = {row["run"]: row["status"] for row in rows_of(out)}
    assert told == {"a": "finished", "b": "finished", "c": "broken"}
    assert "broken" in err
    assert "c is a link to nothing" in err


def test_a_half_finished_sweep_is_complete(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "sweep"
    words = {
        f"model-{cell}_seed-{seed}": [f"model={cell}", f"seed={seed}"]
        for cell in ("gru", "rnn")
        for seed in (1, 2)
    }
    bad = {"model-gru_model.hidden_size--1_seed-1": ["model=gru", "model.hidden_size=-1", "seed=1"]}
    sweep(folder, {**words, **bad}, pruned=["model-rnn_seed-1"])
    finished(folder / "model-gru_seed-1", config("gru", 1), 0.8)
    interrupted(folder / "model-rnn_seed-1", config("rnn", 1), 0.6)
    failing = folder / "model-gru_model.hidden_size--1_seed-1"
    failing.mkdir()
    (failing / "error.txt").write_text("model.hidden_size is -1")
    finished(tmp_path / "sweep.before-2026-01-01_00-00-00" / "old", config("gru", 1), 0.1)
    _, out, err = command(tmp_path, "format=csv")
    found = {(row["model.cell"], row["model.hidden_size"]): row["status"] for row in rows_of(out)}
    assert found == {
        ("gru", "-1"): "failed",
        ("gru", "32"): "1 finished, 1 waiting",
        ("rnn", "32"): "1 pruned, 1 waiting",
    }
    assert "loss" not in command(tmp_path)[1]  # the failed job's unknown task adds no column
    assert "started over" in err
    assert "model.hidden_size is -1" in err


def test_a_running_run_is_told(tmp_path: Path) -> None:
    with interrupted(tmp_path / "a", config(), 0.5).held():
        (found,) = found_under([tmp_path]).runs
    assert found.status == "running"


def test_outputs_are_whole_and_not_overwritten(logs: Path, command: Command, tmp_path: Path) -> None:
    for name, start in (("a.csv", "model.cell,"), ("a.md", "| cell |")):
        target = tmp_path / name
        assert command(logs, f"output={target}")[0] == 0
        assert target.read_text().startswith(start)
        status, _, err = command(logs, f"output={target}")
        assert (status, "overwrite=true" in err) == (2, True)
        assert command(logs, f"output={target}", "overwrite=true")[0] == 0


def test_the_figure(logs: Path, command: Command, tmp_path: Path) -> None:
    for lr in (0.001, 0.01):
        finished(logs / f"lr{lr}", config("gru", lr=lr), 0.75)
    assert command(logs, f"plot={tmp_path / 'a.png'}")[0] == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    status, _, err = command(logs, f"plot={tmp_path / 'a.svg'}")
    assert (status, "overwrite=true" in err) == (2, True)
    words = (f"plot={tmp_path / 'b.svg'}", "x=lr,cell", "metric=validation/loss", "format=csv")
    status, out, _ = command(logs, *words)
    assert status == 0
    assert list(rows_of(out)[0])[:2] == ["optimizer.lr", "model.cell"]
    assert not any(key.endswith("hidden_size") for key in rows_of(out)[0])  # the points alone


def test_a_metric_is_drawn_against_the_speed(tmp_path: Path, command: Command) -> None:
    for cell, rate in (("rnn", 8e4), ("gru", 2e4)):
        for seed in (1, 2):
            finished(tmp_path / "sweep" / f"{cell}-{seed}", config(cell, seed=seed), 0.7, rate=rate + seed)
    untold = config("gru")
    untold["model"]["cell"] = "lstm"
    finished(tmp_path / "sweep" / "untold", untold, 0.7, rate=None)
    drawn = figure_of_runs(found_under([tmp_path]).runs, "tokens_per_second,cell")
    panel = drawn.axes[0]
    assert panel.get_xlabel() == "tokens per second in training"
    places = {str(line.get_label()): list(line[0].get_xdata()) for line in panel.containers}
    assert places == {"cell rnn": [8e4 + 1.5], "cell gru": [2e4 + 1.5]}
    words = (f"plot={tmp_path / 'a.png'}", "x=tokens_per_second,cell", "format=csv")
    status, out, _ = command(tmp_path / "sweep", *words)
    assert (status, [row["model.cell"] for row in rows_of(out)]) == (0, ["gru", "lstm", "rnn"])
    for words, message in (
        (("x=tokens_per_second,cell,seed",), "choose one key beside tokens_per_second"),
        (("x=tokens_per_second,cell", "baseline=majority class"), "not trained at so many tokens"),
        (("x=tokens_per_second,cell", "where=cell=lstm"), "No run tells its tokens per second"),
    ):
        status, _, err = command(tmp_path / "sweep", f"plot={tmp_path / 'b.png'}", *words)
        assert (status, message in " ".join(err.split())) == (2, True)


def test_the_simple_methods_stand_beside_the_runs(logs: Path, command: Command, tmp_path: Path) -> None:
    simple = {"majority class": {"accuracy": 0.5}, "bag of bigrams": {"accuracy": 0.625}}
    for lr in (0.001, 0.01):
        for seed in (1, 2):
            content = config("gru", lr=lr, seed=seed)
            finished(tmp_path / "sweep" / f"{lr}-{seed}", content, 0.75, baselines=simple)
    _, usual, _ = command(tmp_path / "sweep")
    assert "bigrams" not in usual
    _, out, _ = command(tmp_path / "sweep", "metrics=test/accuracy,bag of bigrams/accuracy", "format=csv")
    found = [(row["test/accuracy"], row["bag of bigrams/accuracy"]) for row in rows_of(out)]
    assert found == [("0.75", "0.625")] * 2
    _, every, _ = command(tmp_path / "sweep", "metrics=all")
    assert "majority class" in every
    figure = tmp_path / "a.svg"
    assert command(tmp_path / "sweep", f"plot={figure}", "baseline=bag of bigrams")[0] == 0
    assert b"<svg" in figure.read_bytes()
    other = (tmp_path / "sweep", f"plot={tmp_path / 'b.svg'}")
    status, _, err = command(*other, "metric=validation/accuracy", "baseline=bag of bigrams")
    assert (status, "scored on the test split" in err) == (2, True)
    status, _, err = command(*other, "baseline=bag of bigram")
    assert (status, "Did you mean bag of bigrams?" in err) == (2, True)


def test_a_baseline_is_a_line_over_seeds_and_the_lines_of_transfer_are_named(tmp_path: Path) -> None:
    for labelled, initial, seed, simple in (
        (100, None, 1, 0.6),
        (100, None, 2, 0.7),
        (100, "logs/lm", 1, 0.6),  # the same documents as the first: counted once
        (500, "logs/lm", 1, 0.8),
    ):
        content = {**config(seed=seed), "init_from": initial, "data": {"name": "csv", "labelled": labelled}}
        name = f"{labelled}-{initial is None}-{seed}"
        finished(tmp_path / name, content, 0.75, baselines={"bag of bigrams": {"accuracy": simple}})
    runs = found_under([tmp_path]).runs
    rows = grouped(runs, ["data.labelled"])
    line = baseline_line(rows, "data.labelled", "bag of bigrams", "test/accuracy")
    found = [(point.at, round(point.mean, 6), point.count) for point in line]
    assert found == [(100, 0.65, 2), (500, 0.8, 1)]
    drawn = figure_of_runs(runs, "labelled,init_from", None, "bag of bigrams")
    legend = drawn.axes[0].get_legend()
    assert legend is not None
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["from scratch", "pretrained (lm)", "bag of bigrams"]
    assert drawn.axes[0].get_xlabel() == "labelled documents"


@pytest.mark.parametrize(
    ("sizes", "marked"),
    [
        ((100, 500, 22_500), [100, 500, 22_500]),
        ((100, 110, 22_500), [100, 1_000, 10_000]),  # no room for 100 beside 110
    ],
)
def test_numbers_far_apart_are_marked_where_there_is_room(
    tmp_path: Path, sizes: tuple[int, ...], marked: list[int]
) -> None:
    for size in sizes:
        finished(tmp_path / str(size), config(hidden_size=size), 0.7)
    drawn = figure_of_runs(found_under([tmp_path]).runs, "hidden_size")
    rendered(drawn)
    panel = drawn.axes[0]
    assert (panel.get_xlabel(), panel.get_xscale()) == ("hidden size", "log")
    low, high = panel.get_xlim()
    assert set(marked) <= {round(place) for place in panel.get_xticks() if low <= place <= high}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Name a folder"),
        (("none",), "no folder none"),
        ((".", "sort=unheard"), "no such column"),
        ((".", "metrics=bleu"), "no run has it"),
        ((".", "group=unheard"), "no run has such a key"),
        ((".", "format=xml"), "format=xml is unknown"),
        ((".", "output=a.xls"), "must end in"),
        ((".", "each=true", "group=cell"), "Choose one"),
        ((".", "x=cell"), "are for plot="),
        ((".", "baseline=majority class"), "are for plot="),
        ((".", "plot=a.png", "x=lr", "baseline=majority class"), "None was scored"),
        ((".", "plot=a.gif"), r"must end in .png or .svg"),
        ((".", "plot=a.png", "x=lr,cell,seed"), "one key or two"),
        ((".", "where=cell=lstm"), "None of the 5 runs"),
        ((".", "where=cel=lstm"), "no run has such a key. Did you mean cell"),
        ((".", "sorted=lr"), "Did you mean sort"),
    ],
)
def test_mistakes_are_named(
    words: tuple[str, ...], message: str, logs: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(logs)
    before = sorted(logs.iterdir())
    status, _, err = command(*words)
    assert (status, message in err) == (2, True), err
    assert sorted(logs.iterdir()) == before


def test_a_folder_without_runs_is_told(tmp_path: Path, command: Command) -> None:
    assert command(tmp_path)[0] == 2


@pytest.mark.parametrize("kind", [SentimentClassifier, LanguageModel, MemoryTask])
def test_what_a_tasks_package_states_is_what_its_class_is_chosen_by(kind: type[Task]) -> None:
    assert stated_by(f"{kind.__module__}.{kind.__qualname__}") == Choice(kind.monitor, kind.mode)


def test_no_torch_is_needed(logs: Path) -> None:
    code = (
        "import sys, rnnlab.results.report as r; from rnnlab.commands.results import Arguments; "
        f"r.results(['{logs}'], [], Arguments()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_folds_are_averaged_like_seeds(tmp_path: Path, command: Command) -> None:
    for fold, accuracy in ((1, 0.7), (2, 0.8), (3, 0.9)):
        finished(tmp_path / f"fold-{fold}", {**config(), "folds": 3, "fold": fold}, accuracy)
    status, out, _ = command(tmp_path)
    assert status == 0
    assert "0.8000 ± 0.1000" in out
    assert "1 (3 folds)" in out


def test_tags_choose_runs_and_part_no_rows(tmp_path: Path, command: Command) -> None:
    for seed, tags in ((1, ["paper", "v2"]), (2, ["draft"]), (3, None)):
        finished(tmp_path / f"{seed}", {**config(seed=seed), "tags": tags}, 0.8)
    for where, runs in ((["tags=paper"], "1"), (["tags!=paper"], "2"), (["tags!=v2", "tags!=draft"], "3")):
        status, out, _ = command(tmp_path, "each=true", *(f"where={word}" for word in where))
        assert status == 0
        assert re.search(rf"│ {runs} ", out)
    assert command(tmp_path)[1].count("finished") == 1
    assert command(tmp_path, "where=tags=nothing")[0] == 2

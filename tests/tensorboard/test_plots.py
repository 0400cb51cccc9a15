"""``scripts/plot.py``: the figures of one run and of several, also where files are broken."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from rnnlab.errors import DamagedFileError
from rnnlab.files.event_file import records_in, scalars_of, when_written
from rnnlab.runs.named_runs import short_names
from tests.tensorboard.conftest import Twins

pytestmark = pytest.mark.drawn

Command = Callable[..., int]


@pytest.fixture
def run(sentiment: Twins, tmp_path: Path) -> Path:
    """A copy of the finished sentiment run, to break."""
    folder: Path = shutil.copytree(sentiment.logged, tmp_path / "run", ignore=ignored)
    return folder


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write empty files instead of figures, where it is not the figures that matter."""

    def touch(figure: object, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for ending in ("png", "svg"):
            (folder / f"{name}.{ending}").touch()

    monkeypatch.setattr("rnnlab.runs.plots.save", touch)


def ignored(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("checkpoints", "projector")}


def names_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.png")}


def main_event_file(run: Path) -> Path:
    return min(run.glob("events.out.tfevents.*"), key=when_written)


def test_one_run_gets_all_figures(run: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    drawn_by_training = {path.name: path.read_bytes() for path in (run / "figures").glob("*.png")}
    assert command("plot", f"run={run}") == 0
    names = names_in(run / "figures")
    assert {"curve_loss", "curve_accuracy", "curve_auroc", "curve_learning_rate"} <= names
    assert {"curve_loss_of_single_steps", "curve_gradient_norms", "roc", "confusion_test"} <= names
    for name, content in drawn_by_training.items():
        assert (run / "figures" / name).read_bytes() == content, f"{name} is not as training drew it"
    assert (run / "figures" / "curve_loss.svg").is_file()
    out = capsys.readouterr()
    assert "curve_loss" in out.out
    assert not out.err


@pytest.mark.usefixtures("sketched")
def test_a_language_model_gets_its_own(language: Twins, tmp_path: Path, command: Command) -> None:
    assert command("plot", f"run={language.logged}", f"output={tmp_path / 'out'}") == 0
    assert {"curve_perplexity", "perplexity_by_frequency"} <= names_in(tmp_path / "out")
    assert "curve_tokens" not in names_in(tmp_path / "out")


@pytest.mark.usefixtures("sketched")
def test_several_runs_are_drawn_into_one(run: Path, tmp_path: Path, command: Command) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    out = tmp_path / "out"
    assert command("plot", f"run={run}", f"run={other}", f"output={out}", "split=validation") == 0
    names = names_in(out)
    assert {"curve_loss", "roc", "reliability", "confusion_run", "confusion_other"} <= names
    assert "curve_gradient_norms" not in names


@pytest.mark.usefixtures("sketched")
def test_a_folder_of_runs_names_all_in_it(run: Path, tmp_path: Path, command: Command) -> None:
    sweep = tmp_path / "sweep"
    for name in ("lr-0.1", "lr-0.2"):
        shutil.copytree(run, sweep / name)
    assert command("plot", f"run={sweep}", f"output={tmp_path / 'out'}") == 0
    assert {"confusion_lr-0.1", "confusion_lr-0.2"} <= names_in(tmp_path / "out")


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize("damage", ["cut", "flipped", "noise"])
def test_a_broken_event_file_is_named_and_the_rest_is_drawn(
    damage: str, run: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    file = main_event_file(run)
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[: len(content) * 2 // 3]
    elif damage == "flipped":
        content[len(content) * 2 // 3] ^= 0xFF
    else:
        content = bytearray(np.random.default_rng(1).bytes(3000))
    file.write_bytes(content)
    assert command("plot", f"run={run}") == 0
    err = capsys.readouterr().err
    assert file.name in err.replace("\n", "")
    assert "broken at record" in err
    assert {"roc", "confusion_test"} <= names_in(run / "figures")
    assert ("curve_loss_of_single_steps" in names_in(run / "figures")) == (damage != "noise")


def test_an_event_file_that_is_a_folder_is_named(run: Path) -> None:
    (run / "events.out.tfevents.99999999999.x").mkdir()
    found, problems = scalars_of(run)
    assert found
    assert len(problems) == 1
    assert "99999999999" in problems[0]


def test_every_scalar_is_read_as_tensorboard_reads_it(sentiment: Twins) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = sentiment.logged
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    found, problems = scalars_of(folder)
    assert not problems
    assert set(found) == set(events.Tags()["scalars"])
    for tag, series in found.items():
        assert [(event.step, event.value) for event in events.Scalars(tag)] == list(
            zip(series.steps, series.values, strict=True)
        )


def test_after_going_on_the_later_file_counts(tmp_path: Path) -> None:
    for number, values in enumerate(({10: 1.0, 20: 2.0, 30: 3.0}, {20: 7.0, 40: 8.0})):
        with SummaryWriter(str(tmp_path), filename_suffix=f".{number}") as writer:  # type: ignore[no-untyped-call]
            for step, value in values.items():
                writer.add_scalar("train/loss", value, step)  # type: ignore[no-untyped-call]
        (written,) = tmp_path.glob(f"*.{number}")
        # A process counts its files; by letters the tenth comes before the ninth.
        written.rename(tmp_path / f"events.out.tfevents.7.host.1.{number + 9}")
    found, _ = scalars_of(tmp_path)
    assert found["train/loss"].steps.tolist() == [10, 20, 30, 40]
    assert found["train/loss"].values.tolist() == [1.0, 7.0, 3.0, 8.0]


def test_an_empty_event_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1").touch()
    assert scalars_of(tmp_path) == ({}, [])


def test_a_record_that_is_no_event_is_named(tmp_path: Path) -> None:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    record = b"\xff" * 10
    head = len(record).to_bytes(8, "little")
    checks = [masked_crc32c(part).to_bytes(4, "little") for part in (head, record)]
    (tmp_path / "events.out.tfevents.1").write_bytes(head + checks[0] + record + checks[1])
    _, problems = scalars_of(tmp_path)
    assert "record 1: it is no event" in problems[0]
    (tmp_path / "cut").write_bytes(head)
    with pytest.raises(DamagedFileError):
        list(records_in(tmp_path / "cut"))


@pytest.mark.usefixtures("sketched")
def test_metrics_that_are_no_numbers_are_reported(
    run: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with SummaryWriter(str(run)) as writer:  # type: ignore[no-untyped-call]
        writer.add_scalar("curves/loss", float("nan"), 99_999)  # type: ignore[no-untyped-call]
    assert command("plot", f"run={run}") == 0
    err = capsys.readouterr().err
    assert "run: 1 of 3 values of train/loss are no numbers; they are gaps." in err


@pytest.mark.usefixtures("sketched")
def test_a_damaged_file_of_answers_is_named(
    run: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "figures" / "documents_test.npz").write_bytes(b"PK nonsense")
    assert command("plot", f"run={run}") == 0
    assert "documents_test.npz is damaged" in capsys.readouterr().err.replace("\n", "")


def test_a_run_without_a_logger_has_nothing_to_draw(
    sentiment: Twins, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("plot", f"run={sentiment.silent}") == 2
    assert "logger=none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run=nowhere"], "There is no run folder"),
        (["run={run}", "split=train"], "split=train"),
        (["run={run}", "run={other}"], "output=…"),
        (["run={empty}"], "no run folder"),
        ([], "run=…"),
        (["run={run}", "output={taken}"], "overwrite=true"),
    ],
)
def test_mistakes_are_explained(
    words: list[str],
    told: str,
    run: Path,
    sentiment: Twins,
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "roc.svg").write_text("mine")
    places = {"run": run, "other": sentiment.logged, "empty": tmp_path / "empty", "taken": tmp_path / "taken"}
    assert command("plot", *(word.format(**places) for word in words)) == 2
    assert told in capsys.readouterr().err.replace("\n", " ")
    assert (tmp_path / "taken" / "roc.svg").read_text() == "mine"
    assert not (tmp_path / "taken" / "roc.png").exists()


@pytest.mark.usefixtures("sketched")
def test_runs_of_other_classes_are_left_out_and_named(
    run: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from rnnlab.figures.documents import ScoredDocuments

    other = shutil.copytree(run, tmp_path / "strange")
    file = other / "figures" / "documents_test.npz"
    replace(ScoredDocuments.load(file), classes=("up", "down")).save(file)
    assert command("plot", f"run={run}", f"run={other}", f"output={tmp_path / 'out'}") == 0
    assert "tell other classes: strange" in capsys.readouterr().err.replace("\n", " ")
    assert "roc" in names_in(tmp_path / "out")


def test_names_are_what_tells_runs_apart() -> None:
    paths = [Path("logs/imdb/gru/1"), Path("logs/imdb/lstm/1")]
    assert short_names(paths) == ["gru", "lstm"]
    assert short_names([Path("a/b"), Path("c")]) == ["a/b", "c"]

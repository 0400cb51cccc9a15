"""``rnnlab.train`` trains as the command does, and leaves nothing behind but the run."""

import logging
from collections.abc import Callable
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra

import rnnlab
from rnnlab import folders
from rnnlab.errors import ConfigError, RunError
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.train import configuration
from tests.runs.conftest import ROOT, SMALL
from tests.training.conftest import write_reviews


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A training of a second, given in an empty folder."""
    GlobalHydra.instance().clear()
    monkeypatch.chdir(tmp_path)
    reviews = write_reviews(tmp_path / "reviews.csv", count=60)
    return ["data=csv", f"data.corpus.train={reviews}", "data.vocabulary.min_frequency=1", *SMALL]


def test_it_trains_as_the_command_does(
    words: list[str], tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "by, command='1'"
    assert command("train", *words, f"hydra.run.dir='{str(folder).replace(chr(39), chr(92) + chr(39))}'") == 0
    said = capsys.readouterr().out
    run = rnnlab.train(words, tmp_path / "by, call='1'")
    heard = capsys.readouterr().out
    theirs, ours = RunFolder(folder), RunFolder(run)
    assert ours.config() == theirs.config()
    for split in ("validation", "test"):
        assert ours.metrics()[split] == theirs.metrics()[split]
    assert len(heard.splitlines()) == len(said.splitlines())
    assert len((run / "train.log").read_text().splitlines()) == len(
        (folder / "train.log").read_text().splitlines()
    )
    assert rnnlab.load(run).predict(["fine lovely"]) == rnnlab.load(folder).predict(["fine lovely"])


def test_the_run_lies_where_the_command_would_put_it_and_logging_is_as_before(words: list[str]) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    first, second = rnnlab.train(words, "one"), rnnlab.train([*words, "model=rnn"])
    assert first == Path("one")
    assert second.parts[:4] == ("logs", "sentiment", "csv", "rnn")
    assert (root.handlers, root.level) == (handlers, level)
    assert (first / "train.log").read_text().count("Epoch 2/2") == 1
    assert not GlobalHydra.instance().is_initialized()


def test_it_works_where_hydra_is_at_work_already(words: list[str]) -> None:
    with hydra.initialize_config_dir(str(ROOT / "conf"), job_name="other", version_base="1.3"):
        run = rnnlab.train(words, "inner")
        assert hydra.compose("train").model.cell == "gru"  # the outer one is as it was
    assert RunFolder(run).config()["data"]["name"] == "csv"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("modle=gru", "modle: there is no such key. Did you mean model"),
        ("data.corpus.trian=x", r"Did you mean data\.corpus\.train"),
        ("model=gruu", "model=gruu: there is no such choice. Did you mean gru"),
        ("data.corpus.train=???", r"data\.corpus\.train"),
        ("sweep.restart=true", "there is no sweep here"),
        ("trainer.max_epochs", "missing EQUAL"),
        ("model.hidden_size=0", "model.hidden_size=0: expected a whole number from 1"),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing(
    words: list[str], word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=message):
        rnnlab.train([*words, word])
    assert not [path for path in Path("logs").rglob("*") if path.is_file()]
    assert capsys.readouterr().err == ""


def test_a_run_goes_on_and_is_never_overwritten(words: list[str]) -> None:
    run = rnnlab.train(words, "run")
    with pytest.raises(RunError, match="already holds a run"):
        rnnlab.train(words, "run")
    assert rnnlab.train([f"resume={run}", "trainer.max_epochs=3"]) == run
    assert RunFolder(run).config()["trainer"]["max_epochs"] == 3


def test_a_configuration_is_what_the_command_shows(words: list[str]) -> None:
    config = configuration([*words, "model=lstm"])
    assert (config["model"]["cell"], config["data"]["name"]) == ("lstm", "csv")
    with pytest.raises(ConfigError, match="Did you mean"):
        configuration(["modle=gru"])


def test_without_configuration_files_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "__file__", str(tmp_path / "site-packages" / "rnnlab" / "folders.py"))
    with pytest.raises(ConfigError, match="configuration files are neither in"):
        rnnlab.train()

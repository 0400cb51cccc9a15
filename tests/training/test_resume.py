"""A run that was stopped, or died, and goes on ends as one that never stopped."""

import errno
import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import hydra
import lightning
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from lightning.pytorch.callbacks import Callback
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers
from rnnlab.corpora.memory_problems import FirstToken
from rnnlab.errors import ConfigError, RnnlabError, RunError
from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.interruption import Interrupted
from rnnlab.tasks.language_model.task import LanguageModel
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.tasks.task import Task
from rnnlab.training import checkpoints
from rnnlab.training import fit as fit_module
from rnnlab.training.clock import TrainingClock
from rnnlab.training.fit import fit
from rnnlab.training.resume import (
    check_same_corpus,
    check_same_vocabulary,
    newest_unfinished,
    resumed_config,
    run_folder,
)
from rnnlab.training.run_folder import RunFolder
from rnnlab.training.scoring import evaluate
from tests.training.conftest import CONF, write_reviews
from tests.training.same_end import assert_same_end

SENTENCES = ["the rose is red .", "the violet is blue .", "", "sugar is sweet , and so is the rose ."]
SMALL = [
    *("task.embedding_size=4", "model.hidden_size=4", "trainer=cpu", "baselines=false", "logger=none"),
    *("optimizer.lr=0.01", "trainer.max_epochs=2", "callbacks.checkpoint.every_n_steps=3"),
    "model.backend=torch",  # nothing here asks for fused scans, which take a minute to compile
]
SENTIMENT = ["data=csv", "data.vocabulary.min_frequency=1", "batches.batch_size=8"]
LANGUAGE = ["task=language_model", "data=text", "batches.batch_size=4", "batches.bptt=9"]


class Died(BaseException):
    """The process is gone; nothing is written any more."""


def composed(*words: str) -> dict[str, Any]:
    register_resolvers()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        plain = OmegaConf.to_container(hydra.compose("train", overrides=list(words)), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


class Example:
    """A small run: its corpus, its command, and what it comes to when nothing happens to it."""

    def __init__(self, task: str, folder: Path) -> None:
        self.task, self.folder = task, folder
        if task == "sentiment":
            self.corpus = write_reviews(folder / "reviews.csv", count=60)
            own = SENTIMENT
        else:
            self.corpus = folder / "roses.txt"
            self.corpus.write_text("\n".join(SENTENCES * 30), encoding="utf-8")
            own = LANGUAGE
        self.words = [*own, f"data.corpus.train={self.corpus}", *SMALL]
        self.whole = folder / "whole"
        fit(self.config(), self.whole)
        self.steps = int(read_checkpoint(RunFolder(self.whole).last)["global_step"]) // 2
        """Of an epoch; there are two."""

    def config(self, *words: str) -> dict[str, Any]:
        return composed(*self.words, *words)

    def go_on(self, run: Path, *words: str) -> dict[str, Any]:
        return fit(resumed_config(self.config(*words), RunFolder(run), [*self.words, *words]), run)


def made(task: str, factory: pytest.TempPathFactory) -> Iterator[Example]:
    folder = factory.mktemp(task)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNLAB_CACHE_DIR", str(folder / "cache"))
        yield Example(task, folder)


@pytest.fixture(scope="module")
def sentiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    yield from made("sentiment", tmp_path_factory)


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    yield from made("language", tmp_path_factory)


@pytest.fixture(params=["sentiment", "language"])
def example(request: pytest.FixtureRequest) -> Example:
    found: Example = request.getfixturevalue(request.param)
    return found


Happen = Callable[[int, BaseException | signal.Signals], None]


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Happen:
    """Let something happen in the given step, counted from 0, once: death, or a real signal."""

    def arrange(step: int, what: BaseException | signal.Signals) -> None:
        plain = Task.on_before_backward

        def happening(self: Task, loss: torch.Tensor) -> None:
            if self.global_step == step:
                monkeypatch.setattr(Task, "on_before_backward", plain)
                happen(what)
            plain(self, loss)

        monkeypatch.setattr(Task, "on_before_backward", happening)

    return arrange


@pytest.fixture
def in_validation(monkeypatch: pytest.MonkeyPatch) -> Happen:
    """Let something happen in the first validation after so many steps, once."""

    def arrange(step: int, what: BaseException | signal.Signals) -> None:
        for kind in (SentimentClassifier, LanguageModel):
            plain = kind.validation_step

            def happening(self: Any, *args: Any, kind: Any = kind, plain: Any = plain) -> None:
                if self.global_step == step:
                    monkeypatch.setattr(kind, "validation_step", plain)
                    happen(what)
                plain(self, *args)

            monkeypatch.setattr(kind, "validation_step", happening)

    return arrange


def happen(what: BaseException | signal.Signals) -> None:
    if isinstance(what, BaseException):
        raise what
    os.kill(os.getpid(), what)


def test_a_schedule_that_was_told_of_too_many_steps_ends_with_a_message(
    sentiment: Example, at_step: Happen, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step(5, Died())
    with pytest.raises(Died):
        fit(sentiment.config(), run)
    content = torch.load(RunFolder(run).last, weights_only=True)
    content["lr_schedulers"][0]["last_epoch"] += 1
    torch.save(content, RunFolder(run).last)
    at_step(10**6, Died())
    with pytest.raises(RunError, match="schedule can't go on"):
        sentiment.go_on(run)


@pytest.mark.parametrize(
    ("callback", "odd"),
    [
        ("KeepLast", {"metrics": {"validation/loss": torch.ones(2)}}),
        ("TrainingClock", {"epoch_tokens": ["many"]}),
    ],
)
def test_what_a_callback_can_not_have_kept_is_damage(
    callback: str, odd: dict[str, Any], sentiment: Example, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(sentiment.whole, run)
    content = torch.load(RunFolder(run).last, weights_only=True)
    (kept,) = [name for name in content["callbacks"] if callback in name]
    content["callbacks"][kept].update(odd)
    torch.save(content, RunFolder(run).last)
    with pytest.raises(RnnlabError, match="damaged"):
        sentiment.go_on(run, "trainer.max_epochs=3")


def test_a_dead_process_is_made_up_for(example: Example, at_step: Happen, tmp_path: Path) -> None:
    run = tmp_path / "run"
    at_step(5, Died())
    with pytest.raises(Died):
        fit(example.config(), run)
    assert RunFolder(run).state().name == "interrupted"
    assert RunFolder(run).state().step == 3
    at_step(example.steps + 5, Died())
    with pytest.raises(Died):
        example.go_on(run)
    assert RunFolder(run).state().step in range(example.steps + 2, example.steps + 6)
    example.go_on(run)
    assert_same_end(example.whole, run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_the_step(
    number: signal.Signals, example: Example, at_step: Happen, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step(4, number)
    with pytest.raises(Interrupted, match=r"after step 5 of epoch 1; .*last\.ckpt is kept") as stop:
        fit(example.config(), run)
    assert stop.value.status == 128 + number
    assert f"resume={run}" in str(stop.value)
    example.go_on(run)
    assert_same_end(example.whole, run)


def test_a_signal_in_a_validation_stops_there_and_it_is_done_again(
    example: Example, in_validation: Happen, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for epoch in (1, 2):
        in_validation(epoch * example.steps, signal.SIGTERM)
        with pytest.raises(Interrupted, match=f"in the validation after step {epoch * example.steps} "):
            example.go_on(run) if epoch == 2 else fit(example.config(), run)
    example.go_on(run)
    assert_same_end(example.whole, run)


def test_a_signal_in_an_epochs_last_step_stops_before_its_validation(
    sentiment: Example, at_step: Happen, tmp_path: Path
) -> None:
    at_step(sentiment.steps - 1, signal.SIGTERM)
    with pytest.raises(Interrupted, match="in the validation after step 6 of epoch 1"):
        fit(sentiment.config(), tmp_path / "run")
    sentiment.go_on(tmp_path / "run")
    assert_same_end(sentiment.whole, tmp_path / "run")


@pytest.mark.parametrize("arranged", ["at_step", "in_validation"])
def test_a_signal_about_a_validation_within_a_step_waits_for_the_step(
    arranged: str, sentiment: Example, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    words = ["trainer.accumulate_grad_batches=4", "trainer.val_check_interval=2"]
    fit(sentiment.config(*words), tmp_path / "whole")
    request.getfixturevalue(arranged)(0, signal.SIGTERM)
    with pytest.raises(Interrupted, match="in the validation after step 1 of epoch 1"):
        fit(sentiment.config(*words), tmp_path / "run")
    sentiment.go_on(tmp_path / "run", *words)
    assert_same_end(tmp_path / "whole", tmp_path / "run")


def test_weights_in_double_precision_are_not_rounded_on_the_way(
    sentiment: Example, at_step: Happen, tmp_path: Path
) -> None:
    word = "trainer.precision=64-true"
    fit(sentiment.config(word), tmp_path / "whole")
    at_step(4, signal.SIGTERM)
    with pytest.raises(Interrupted):
        fit(sentiment.config(word), tmp_path / "run")
    sentiment.go_on(tmp_path / "run", word)
    assert_same_end(tmp_path / "whole", tmp_path / "run")


class Signalled(Callback):
    """A signal comes after the training was set up."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        happen(signal.SIGINT)


def test_a_signal_before_anything_is_done_ends_before_the_first_step(
    sentiment: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted, match="before the first step was done; there is no checkpoint yet"):
        fit(sentiment.config(), tmp_path / "begun", [Signalled()])
    sentiment.go_on(tmp_path / "begun")
    assert_same_end(sentiment.whole, tmp_path / "begun")

    progress = fit_module.encoding_progress
    monkeypatch.setattr(fit_module, "encoding_progress", lambda: happen(signal.SIGTERM) or progress())
    with pytest.raises(Interrupted, match=r"before the training began.*\nGo on with: the same command"):
        fit(sentiment.config(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_signal_in_the_final_test_leaves_a_run_to_go_on_with(
    sentiment: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "evaluate", lambda *args: happen(signal.SIGTERM) or evaluate(*args))
        with pytest.raises(Interrupted, match="while the test split was scored"):
            fit(sentiment.config(), tmp_path / "run")
    assert RunFolder(tmp_path / "run").state().name == "interrupted"
    sentiment.go_on(tmp_path / "run")
    assert_same_end(sentiment.whole, tmp_path / "run")


def test_a_run_that_dies_while_its_figures_are_drawn_is_not_finished(
    sentiment: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "log_result", lambda *args: happen(Died()))
        with pytest.raises(Died):
            fit(sentiment.config(), tmp_path / "run")
    assert RunFolder(tmp_path / "run").state().name == "interrupted"
    sentiment.go_on(tmp_path / "run")
    assert_same_end(sentiment.whole, tmp_path / "run")


def test_early_stopping_is_remembered(
    sentiment: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["trainer.max_epochs=9", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-9"]
    fit(sentiment.config(*words), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "evaluate", lambda *args: happen(signal.SIGTERM) or evaluate(*args))
        with pytest.raises(Interrupted):
            fit(sentiment.config(*words), tmp_path / "run")
    sentiment.go_on(tmp_path / "run", *words)
    assert_same_end(tmp_path / "whole", tmp_path / "run")
    assert read_checkpoint(RunFolder(tmp_path / "run").last)["epoch"] < 9


@pytest.mark.parametrize("harm", ["cut short", "altered", "gone"])
def test_a_broken_last_checkpoint_is_told_and_the_one_before_used(
    harm: str, sentiment: Example, at_step: Happen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = RunFolder(tmp_path / "run")
    at_step(8, Died())
    with pytest.raises(Died):
        fit(sentiment.config(), folder.path)
    whole = bytearray(folder.last.read_bytes())
    middle = len(whole) // 2
    for place in range(middle, middle + 200):  # more than the padding between two parts
        whole[place] ^= 0xFF
    if harm == "gone":
        folder.last.unlink()
    else:
        folder.last.write_bytes(whole[:middle] if harm == "cut short" else whole)
    before = int(read_checkpoint(folder.previous)["global_step"])
    with caplog.at_level(logging.WARNING):
        sentiment.go_on(folder.path)
    assert f"GOING ON FROM THE CHECKPOINT BEFORE IT, {folder.previous} (step {before})" in caplog.text
    assert_same_end(sentiment.whole, folder.path)


def test_two_broken_checkpoints_are_both_named(sentiment: Example, at_step: Happen, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    at_step(8, Died())
    with pytest.raises(Died):
        fit(sentiment.config(), folder.path)
    for file in (folder.last, folder.previous):
        file.write_bytes(b"")
    with pytest.raises(RunError, match=r"no whole checkpoint(.|\n)*last\.ckpt(.|\n)*previous\.ckpt"):
        sentiment.go_on(folder.path)


def test_a_disk_that_fills_in_the_middle_leaves_a_run_to_go_on_with(
    sentiment: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain, calls = torch.save, []

    def full(checkpoint: Any, file: IO[bytes]) -> None:
        calls.append(file)
        if len(calls) == 3:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(checkpoint, file)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.torch, "save", full)
        with pytest.raises(RnnlabError, match="disk is full"):
            fit(sentiment.config(), run)
    assert RunFolder(run).state().name == "failed"
    assert "disk is full" in RunFolder(run).state().reason
    assert not list((run / "checkpoints").glob(".*"))
    sentiment.go_on(run)
    assert RunFolder(run).state().name == "finished"
    assert_same_end(sentiment.whole, run)


def test_a_loss_that_is_no_number_ends_the_run_and_is_written_down(
    sentiment: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = SentimentClassifier.losses_of

    def broken(self: SentimentClassifier, *args: Any) -> torch.Tensor:
        losses = plain(self, *args)
        return losses * torch.nan if self.training and self.global_step == 7 else losses

    monkeypatch.setattr(SentimentClassifier, "losses_of", broken)
    with pytest.raises(RnnlabError, match=r"The loss is nan at step 8\..*optimizer\.lr"):
        fit(sentiment.config(), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert folder.state().name == "failed"
    assert folder.state().reason.startswith("The loss is nan at step 8.")
    kept = read_checkpoint(folder.last)
    assert kept["global_step"] == 6
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


def test_contradictions_are_listed_and_harmless_changes_are_not(sentiment: Example) -> None:
    folder = RunFolder(sentiment.whole)
    wrong = ["model.hidden_size=9", "trainer.precision=bf16-mixed", "trainer.max_epochs=3"]
    with pytest.raises(ConfigError) as error:
        resumed_config(sentiment.config(*wrong), folder, wrong)
    assert "model.hidden_size: the run has 4, asked for 9" in str(error.value)
    assert "trainer.precision: the run has 32-true, asked for bf16-mixed" in str(error.value)
    assert "max_epochs" not in str(error.value)
    harmless = [
        *("trainer.max_epochs=3", "trainer.accelerator=auto", "logger=tensorboard"),
        *("callbacks.checkpoint.every_minutes=1", "callbacks.early_stopping.patience=7"),
    ]
    going_on = resumed_config(sentiment.config(*harmless), folder, harmless)
    assert going_on["trainer"]["max_epochs"] == 3
    assert going_on["logger"]["tensorboard"] is True
    assert going_on["callbacks"]["checkpoint"]["every_minutes"] == 1
    assert going_on["model"]["hidden_size"] == 4


@pytest.mark.parametrize("word", ["task=language_model", "experiment=keras_simple_rnn"])
def test_a_choice_that_sets_many_keys_is_compared_as_a_whole(word: str, sentiment: Example) -> None:
    with pytest.raises(ConfigError, match=r"batches\.\w+: the run has"):
        resumed_config(composed(word), RunFolder(sentiment.whole), [word])


def test_a_folder_without_a_run_is_refused(sentiment: Example, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        resumed_config(sentiment.config(), RunFolder(tmp_path), [])


def test_a_corpus_that_changed_is_refused_with_both_fingerprints(
    sentiment: Example, at_step: Happen, tmp_path: Path
) -> None:
    table = tmp_path / "reviews.csv"
    table.write_bytes(sentiment.corpus.read_bytes())
    word = f"data.corpus.train={table}"
    at_step(4, Died())
    with pytest.raises(Died):
        fit(sentiment.config(word), tmp_path / "run")
    began = read_checkpoint(RunFolder(tmp_path / "run").last)["rnnlab"]["corpus"]["fingerprint"]
    with table.open("a", encoding="utf-8") as file:
        file.write("one more,good\n")
    with pytest.raises(RunError, match=f"had the fingerprint {began[:16]}, csv now has (?!{began[:16]})"):
        sentiment.go_on(tmp_path / "run", word)


def test_the_same_file_elsewhere_is_gone_on_with_and_another_is_not(
    sentiment: Example, at_step: Happen, tmp_path: Path
) -> None:
    run, moved, other = tmp_path / "run", tmp_path / "moved.csv", tmp_path / "other.csv"
    at_step(4, Died())
    with pytest.raises(Died):
        fit(sentiment.config(), run)
    moved.write_bytes(sentiment.corpus.read_bytes())
    other.write_bytes(sentiment.corpus.read_bytes().replace(b",good", b",fine"))
    with pytest.raises(RunError, match="The corpus has changed"):
        sentiment.go_on(run, f"data.corpus.train={other}")
    with pytest.raises(ConfigError, match=r"data\.corpus\.text_column: the run has text"):
        sentiment.go_on(run, "data.corpus.text_column=review")
    words = ["data=csv", f"data.corpus.train={moved}"]
    fit(resumed_config(composed(*words), RunFolder(run), words), run)
    assert_same_end(sentiment.whole, run)
    assert RunFolder(run).config()["data"]["corpus"]["train"] == str(moved)


def test_a_run_keeps_what_it_was_made_from_and_tells_when_that_changed(
    sentiment: Example, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "reviews.csv"
    table.write_bytes(sentiment.corpus.read_bytes())
    word = f"data.corpus.train={table}"
    fit(sentiment.config(word), tmp_path / "run")
    origin = RunFolder(tmp_path / "run").origin()
    kept = read_checkpoint(RunFolder(tmp_path / "run").best)["rnnlab"]
    assert origin == kept["origin"] == {"data": kept["corpus"]["fingerprint"]}
    sentiment.go_on(tmp_path / "run", word)
    assert "changed since" not in caplog.text
    table.write_bytes(table.read_bytes().replace(b",good", b",fine"))
    sentiment.go_on(tmp_path / "run", word)
    assert "changed since: data." in caplog.text


def test_a_run_from_before_goes_on(sentiment: Example, at_step: Happen, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    at_step(4, Died())
    with pytest.raises(Died):
        fit(sentiment.config(), folder.path)
    folder.origin_file.unlink()
    content = torch.load(folder.last, weights_only=True)
    for name in ("origin", "probe"):
        del content["rnnlab"][name]
    torch.save(content, folder.last)
    sentiment.go_on(folder.path)
    assert_same_end(sentiment.whole, folder.path)


def test_a_finished_run_has_nothing_left_to_do_but_more_epochs(
    sentiment: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    metrics = fit(sentiment.config(), run)
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "encoding_progress", lambda: pytest.fail("it began anew"))
        assert sentiment.go_on(run) == metrics
    with pytest.raises(ConfigError, match="the run has done 2 epochs already"):
        sentiment.go_on(run, "trainer.max_epochs=1")
    with pytest.raises(ConfigError, match=r"limit_test_batches=0\.01: of the 1 batches"):
        sentiment.go_on(run, "trainer.limit_test_batches=0.01")
    assert RunFolder(run).metrics() == metrics
    sentiment.go_on(run, "trainer.max_epochs=3")
    assert read_checkpoint(RunFolder(run).last)["epoch"] == 3
    assert RunFolder(run).config()["trainer"]["max_epochs"] == 3


def test_auto_finds_the_newest_unfinished_run_of_the_same_configuration(
    sentiment: Example, tmp_path: Path
) -> None:
    config = {**sentiment.config(), "resume": "auto"}

    def begun(name: str, age: float, *words: str) -> RunFolder:
        folder = RunFolder(tmp_path / name)
        stored = {**sentiment.config(*words), "resume": None}
        del stored["sweep"], stored["trust"]
        folder.path.mkdir()
        folder.begin(stored)
        os.utime(folder.config_file, (1e9 - age, 1e9 - age))
        return folder

    assert newest_unfinished(tmp_path, config) is None
    begun("newest but other", 1, "seed=2")
    begun("newer but longer", 2, "trainer.max_epochs=7")
    begun("newer but finished", 3).finish({})
    right = begun("the one", 4, "callbacks.checkpoint.every_minutes=3")
    right.fail("The disk is full.")
    begun("older", 5)
    assert newest_unfinished(tmp_path, config) == right.path
    with right.held(), pytest.raises(RunError, match="this very run is going on in"):
        newest_unfinished(tmp_path, config)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("callbacks.checkpoint.every_n_steps=0", "every_n_steps=0: expected a whole number from 1"),
        ("callbacks.checkpoint.every_minutes=-1", "every_minutes=-1"),
    ],
)
def test_impossible_rules_are_refused(word: str, message: str, sentiment: Example, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(sentiment.config(word), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_an_earlier_version_kept_of_made_up_data_is_the_same_as_nothing() -> None:
    check_same_corpus({"corpus": {"name": "MemoryData", "fingerprint": ""}}, FirstToken(20))
    check_same_vocabulary({"labels": []}, {})
    with pytest.raises(RunError, match="labels"):
        check_same_vocabulary({"labels": ["good", "bad"]}, {})


@pytest.mark.parametrize(
    ("environment", "nodes"),
    [
        ({"SLURM_STEP_NUM_TASKS": "4"}, 1),
        ({"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2"}, 1),
        ({"MASTER_ADDR": "first", "NODE_RANK": "1"}, 2),
    ],
)
def test_processes_that_others_start_are_told_the_folder(
    environment: dict[str, str], nodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = OmegaConf.create({"trainer": {"num_nodes": nodes}})
    fresh = str(tmp_path / "run")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"hydra\.run\.dir="):
        run_folder(None, fresh, _root_=root)
    assert not list(tmp_path.iterdir())


def test_a_process_that_starts_its_others_takes_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # as Lightning leaves it behind
    assert run_folder(None, str(tmp_path / "run"), _root_=OmegaConf.create({})) == str(tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "odd"),
    [
        ("epoch_tokens", ["many"]),
        ("epoch_seconds", [float("nan")]),
        ("epoch_seconds", [-1.0]),
        ("wall", None),
    ],
)
def test_a_clock_does_not_go_on_from_what_was_never_counted(key: str, odd: object) -> None:
    clock = TrainingClock()
    state = {**clock.state_dict(), key: odd}
    with pytest.raises((ValueError, TypeError)):
        clock.load_state_dict(state)


@pytest.mark.parametrize("resume", [None, "auto"])
def test_neither_a_new_run_nor_the_newest_is_begun_by_many(
    resume: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    with pytest.raises(ConfigError, match="hydra"):
        run_folder(resume, str(tmp_path / "run"), _root_=OmegaConf.create({"seed": 1}))


def test_a_clock_without_seconds_has_no_rate() -> None:
    clock = TrainingClock()
    clock.load_state_dict({**clock.state_dict(), "epoch_seconds": [0.0], "epoch_tokens": [0]})
    assert clock.tokens_per_second is None

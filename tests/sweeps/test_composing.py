"""Jobs are composed from files that are read once, to what Hydra makes of each by itself."""

import signal
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf, open_dict

from rnnlab.sweeps.jobs import Job
from rnnlab.sweeps.launching import HydraSide
from tests.sweeps import pretend
from tests.sweeps.conftest import Commanded


def by_itself(hydra: HydraSide, job: Job) -> Any:
    found = hydra.context.config_loader.load_sweep_config(hydra.config, list(job.words))
    with open_dict(found):
        del found["hydra"]
    return OmegaConf.to_container(found, resolve=True, throw_on_missing=True)


def test_each_job_is_what_hydra_makes_of_it(commanded: Commanded, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = HydraSide.compose, list[str]()

    def compared(self: HydraSide, job: Job) -> dict[str, Any]:
        found, whole = real(self, job), by_itself(self, job)
        assert found == whole
        assert list(found) == list(whole)
        seen.append(job.name)
        return found

    monkeypatch.setattr(HydraSide, "compose", compared)
    fixed = [
        *(
            "experiment=imdb_small",
            "tags=[a,b]",
            "+scheduler.made_up=${seed}",
            "~callbacks.early_stopping.patience",
        ),
        *("trainer.max_epochs=1", "++batches.batch_size=8", "logger=[csv,tensorboard]"),
        "hydra.job.name=mine",
    ]
    assert commanded.run("model=rnn,gru", "optimizer.lr=1e-3,${seed}", *fixed) == 0
    assert len(seen) == len(set(seen)) == 4


def test_files_are_read_once_for_each_choice_among_them(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[HydraSide] = []
    real = HydraSide.of_files

    def watched(self: HydraSide, choices: tuple[str, ...]) -> Any:
        made.append(self)
        return real(self, choices)

    monkeypatch.setattr(HydraSide, "of_files", watched)
    assert commanded.run("model=rnn,gru", "seed=1,2,3", "trainer.max_epochs=1") == 0
    assert len(made) == 6
    assert list(made[0].composed) == [("model=rnn",), ("model=gru",)]


def test_a_signal_ends_it_before_anything_is_begun(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, composed = HydraSide.compose, list[str]()

    def stopped_at_second(self: HydraSide, job: Job) -> dict[str, Any]:
        composed.append(job.name)
        if len(composed) == 2:
            signal.raise_signal(signal.SIGINT)
        return real(self, job)

    monkeypatch.setattr(HydraSide, "compose", stopped_at_second)
    assert commanded.run("seed=range(1,9)") == 130
    assert len(composed) == 2
    assert not list(commanded.folder.glob("logs/sweeps"))


def test_a_signal_in_a_job_leaves_the_rest_untouched(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pretend.pretend

    def signalled(config: dict[str, Any], folder: Path, overrides: list[str]) -> None:
        real(config, folder, overrides)
        if config["seed"] == 2:
            signal.raise_signal(signal.SIGINT)  # too late for this one

    monkeypatch.setattr(pretend, "pretend", signalled)
    assert commanded.run("seed=range(1,9)", "trainer.max_epochs=1") == 130
    assert commanded.jobs() == ["seed=1", "seed=2"]
    assert {path.name for path in commanded.sweep().path.glob("seed=*")} == {"seed=1", "seed=2"}

"""A run that was stopped and goes on ends as one that never stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnlab.command_line import Interrupted
from rnnlab.errors import ConfigError, RunError
from rnnlab.training.checkpoints import read_checkpoint
from rnnlab.training.fit import fit
from rnnlab.training.interruption import StopCleanly
from rnnlab.training.resume import resumed_config
from rnnlab.training.run_folder import RunFolder

Compose = Callable[..., dict[str, Any]]


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make the run take a SIGTERM during the given step, counted from 1."""

    def arrange(step: int) -> None:
        plain = StopCleanly.on_train_batch_end

        def signalled(self: StopCleanly, trainer: Any, *args: Any, **kwargs: Any) -> None:
            if trainer.global_step == step:
                self.ask(15, None)
            plain(self, trainer, *args, **kwargs)

        monkeypatch.setattr(StopCleanly, "on_train_batch_end", signalled)

    return arrange


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("step", [5, 12, 17])
def test_resumed_run_ends_bit_for_bit_as_the_uninterrupted_one(
    cell: str, step: int, compose: Compose, tmp_path: Path, stop_at: Callable[[int], None], monkeypatch: Any
) -> None:
    config = compose(f"model={cell}", "baselines=false")
    whole = fit(config, tmp_path / "whole")
    with monkeypatch.context():
        stop_at(step)
        with pytest.raises(Interrupted, match="resume="):
            fit(config, tmp_path / "stopped")
        monkeypatch.undo()
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(tmp_path / "cache"))
    folder = RunFolder(tmp_path / "stopped")
    resumed = fit(resumed_config(config, folder, []), folder.path)
    assert resumed["test"] == whole["test"]
    assert resumed["validation"] == whole["validation"]
    ours = read_checkpoint(folder.last)["state_dict"]
    theirs = read_checkpoint(RunFolder(tmp_path / "whole").last)["state_dict"]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_contradiction_is_refused_and_more_epochs_are_not(compose: Compose, tmp_path: Path) -> None:
    fit(compose("baselines=false"), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"model\.hidden_size: the run has 8, asked for 9"):
        resumed_config(compose("model.hidden_size=9"), folder, ["model.hidden_size=9"])
    longer = resumed_config(compose("trainer.max_epochs=3"), folder, ["trainer.max_epochs=3"])
    assert longer["trainer"]["max_epochs"] == 3
    assert longer["model"]["hidden_size"] == 8


def test_a_folder_without_a_run_is_refused(compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        resumed_config(compose(), RunFolder(tmp_path), [])

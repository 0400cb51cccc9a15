"""What a run's folder tells of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from rnnlab.errors import RunError
from rnnlab.training.run_folder import RunFolder

HOLD = """
import sys
from pathlib import Path
from rnnlab.training.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    return folder


def test_files_tell_what_has_become_of_it(folder: RunFolder) -> None:
    assert folder.state().name == "empty"
    folder.last.touch()
    folder.progress_file.write_text('{"epoch": 2, "step": 31}', encoding="utf-8")
    state = folder.state()
    assert (state.name, state.epoch, state.step) == ("interrupted", 2, 31)
    folder.fail("The loss is nan.\n")
    assert (folder.state().name, folder.state().reason) == ("failed", "The loss is nan.")
    folder.finish({})
    assert folder.state().name == "finished"


def test_a_folder_that_is_not_there_is_empty_and_stays_away(tmp_path: Path) -> None:
    assert RunFolder(tmp_path / "none").state().name == "empty"
    assert not (tmp_path / "none").exists()


def test_the_last_checkpoint_gone_leaves_the_one_before(folder: RunFolder) -> None:
    folder.previous.touch()
    folder.progress_file.write_text("half a fi", encoding="utf-8")
    assert (folder.state().name, folder.state().step) == ("interrupted", None)


def test_the_owner_sees_what_was_left_behind_and_may_hold_twice(folder: RunFolder) -> None:
    with folder.held(), folder.held():
        assert folder.state().name == "running"
        assert folder.state(owner=True).name == "empty"
    assert folder.state().name == "empty"


def test_another_process_is_kept_out_until_it_is_killed(folder: RunFolder) -> None:
    command = [sys.executable, "-c", HOLD, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"is being worked on by process {other.pid}"), folder.held():
            pass
        assert folder.state().name == "running"
        other.kill()
    assert folder.state().name == "empty"
    with folder.held():
        assert folder.state().name == "running"

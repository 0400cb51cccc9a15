"""Whatever the machine is short of is said in a person's words, and what was there before stays."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from rnnlab.atomic import UNFINISHED, remove_left_behind, write_text, written_beside
from rnnlab.errors import RnnlabError
from rnnlab.shortage import SAYINGS, shortage, told_when_short

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "no space"), "disk is full"),
        (OSError(errno.EFBIG, "too large"), "ulimit -f"),
        (OSError(errno.EMFILE, "too many"), "ulimit -n"),
        (OSError(errno.EROFS, "read-only"), "read-only"),
        (NotADirectoryError(errno.ENOTDIR, "no folder", "a/b"), "leads through a file"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "memory"),
        (RuntimeError("can't start new thread"), "thread"),
        (ImportError("libx.so: failed to map segment from shared object"), "memory"),
        (ValueError("I/O error: No space left on device (os error 28)"), "disk is full"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "disk is full"),
    ],
)
def test_each_shortage_is_told(error: Exception, words: str) -> None:
    with pytest.raises(RnnlabError, match=words), told_when_short(Path("figures")):
        raise error


def test_an_error_that_came_of_a_shortage_is_one_and_others_are_none() -> None:
    wrapped = RuntimeError("unexpected pos 64 vs 0")
    wrapped.__context__ = OSError(errno.ENOSPC, "no space")
    assert "disk is full" in str(shortage(wrapped))
    assert shortage(ValueError("nonsense")) is None
    assert shortage(FileNotFoundError(errno.ENOENT, "not there")) is None
    assert all(saying.format(" x") for saying in SAYINGS.values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_checkpoint_on_a_full_disk_names_the_disk() -> None:
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(RnnlabError, match="disk is full"),
        told_when_short(Path("last.ckpt")),
    ):
        torch.save({"weights": torch.zeros(100_000)}, full)


def room_of(folder: Path, name: str = "o.csv") -> Path:
    room = folder / f".{name}.abcd1234{UNFINISHED}"
    room.mkdir()
    (room / name).write_text("half")
    return room


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_holds_is_not(tmp_path: Path) -> None:
    dead, held = room_of(tmp_path), room_of(tmp_path, "p.csv")
    (dead / ".lock").touch()
    others = [tmp_path / ".git", tmp_path / f".mine{UNFINISHED}", tmp_path / ".o.csv.abcd1234"]
    for other in others:
        other.mkdir()
    with FileLock(held / ".lock"):
        write_text(tmp_path / "any", "whole")
        assert not dead.exists()
        assert held.exists()
    assert all(other.exists() for other in others)
    remove_left_behind(tmp_path)
    assert not held.exists()


def test_a_process_killed_while_it_writes_leaves_nothing_that_the_next_one_does_not_sweep(
    tmp_path: Path,
) -> None:
    program = f"""
import os, signal
from pathlib import Path
from rnnlab.atomic import written_beside
with written_beside(Path({str(tmp_path / "o.csv")!r})) as unfinished:
    unfinished.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with written_beside(tmp_path / "p.csv") as unfinished:
        assert len(list(tmp_path.iterdir())) == 1
        unfinished.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


LOST = """
import sys
from rnnlab.command_line import exit_by
def work():
    for number in range(20_000):
        print(number)
    open({done!r}, "w").close()
exit_by(work, only_shows={only_shows})
"""


@pytest.mark.parametrize("only_shows", [True, False])
@pytest.mark.parametrize("where", ["closed pipe", "full device"])
def test_work_goes_on_without_a_terminal(where: str, only_shows: bool, tmp_path: Path) -> None:
    if where == "full device" and not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    program = LOST.format(done=str(tmp_path / "done"), only_shows=only_shows)
    buffering = {"PYTHONUNBUFFERED": "1" if only_shows else ""}
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("w") as full, os.fdopen(writer, "w") as pipe:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full if where == "full device" else pipe,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "src"),
                **buffering,
            },
            check=False,
            text=True,
        )
    assert (tmp_path / "done").exists()
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ended.returncode == (2 if only_shows and where == "full device" else 0)


def test_an_error_that_came_of_itself_is_looked_at_once() -> None:
    first, second = ValueError("one"), ValueError("two")
    first.__cause__, second.__cause__ = second, first
    assert shortage(first) is None

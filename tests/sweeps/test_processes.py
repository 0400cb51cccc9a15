"""Sweeps whose processes run side by side, or die."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweeps.conftest import Commanded

PATIENCE = 500  # seconds; a busy machine is slow to start Python

pytestmark = pytest.mark.slow


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.05)


def started(commanded: Commanded) -> list[str]:
    """Return the names of the jobs in the order in which they were started from the beginning."""
    return [line.removesuffix(" started") for line in commanded.noted() if line.endswith(" started")]


def finished(commanded: Commanded) -> set[str]:
    """Return the names of the jobs that were finished."""
    return {line.removesuffix(" finished") for line in commanded.noted() if line.endswith(" finished")}


def ended(sweep: "subprocess.Popen[str]", status: int) -> str:
    """Wait for a sweep, check its exit status, and return what it printed."""
    told, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == status, told
    return told


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that names, a line each, the runs to be held after their first epoch."""
    monkeypatch.setenv("RNNLAB_HELD", str(tmp_path / "held"))
    return tmp_path / "held"


def test_a_sweep_killed_in_its_third_job_goes_on_and_does_nothing_twice(
    commanded: Commanded, held: Path
) -> None:
    words = ["model=rnn,lstm,gru", "seed=1,2", "trainer.max_epochs=4"]
    third = "lstm seed=1"
    held.write_text(third)
    first = commanded.start(*words)
    wait_for(lambda: f"{third} held" in commanded.noted())
    first.send_signal(signal.SIGKILL)
    first.communicate()
    held.unlink()
    told = ended(commanded.start(*words), 0)
    assert len(commanded.jobs()) == 6
    assert sorted(started(commanded)) == commanded.jobs()  # none from the beginning a second time
    assert f"{third} resumed" in commanded.noted()
    assert finished(commanded) == set(commanded.jobs())
    assert all(name in told for name in commanded.jobs())


def test_two_invocations_share_the_work(commanded: Commanded, held: Path) -> None:
    words = ["seed=1,2,3,4", "trainer.max_epochs=2"]
    held.write_text("seed=1\nseed=2")
    first = commanded.start(*words)
    wait_for(lambda: "seed=1 held" in commanded.noted())
    second = commanded.start(*words)
    wait_for(lambda: "seed=2 held" in commanded.noted())
    held.unlink()
    for told in (ended(first, 0), ended(second, 0)):
        assert all(f"seed={seed}" in told for seed in (1, 2, 3, 4))  # both have the whole table
    assert sorted(started(commanded)) == ["seed=1", "seed=2", "seed=3", "seed=4"]


def test_what_a_killed_invocation_leaves_is_taken_over_by_the_other(commanded: Commanded, held: Path) -> None:
    held.write_text("seed=1")
    first = commanded.start("seed=1,2", "trainer.max_epochs=2")
    wait_for(lambda: "seed=1 held" in commanded.noted())
    second = commanded.start("seed=1,2", "trainer.max_epochs=2")
    wait_for(lambda: "seed=2" in finished(commanded))
    first.send_signal(signal.SIGKILL)
    first.communicate()
    held.unlink()
    assert "Waiting for other processes, which are at seed=1." in ended(second, 0)
    assert "seed=1 resumed" in commanded.noted()


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "ray"])
def test_a_process_that_dies_takes_no_other_job_with_it(launcher: str, commanded: Commanded) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    words = [f"hydra/launcher={launcher}", "seed=1,14,13,2", "trainer.max_epochs=2", "sweep.at_once=4"]
    told = ended(commanded.start(*words), 1)
    assert finished(commanded) == {"seed=1", "seed=14", "seed=2"}
    assert "seed=14 resumed" in commanded.noted()
    assert "No luck with seed 13." in told
    assert "1 of 4 jobs failed" in told


@pytest.mark.parametrize(
    ("launcher", "limit"), [("joblib", "hydra.launcher.n_jobs=2"), ("ray", "sweep.at_once=2")]
)
def test_ctrl_c_stops_the_jobs_of_other_processes(
    launcher: str, limit: str, commanded: Commanded, held: Path
) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher}_launcher")
    held.write_text("seed=1\nseed=2")
    words = [f"hydra/launcher={launcher}", limit, "seed=1,2,3,4", "trainer.max_epochs=2"]
    sweep = commanded.start(*words)
    wait_for(lambda: {"seed=1 held", "seed=2 held"} <= set(commanded.noted()))
    sweep.send_signal(signal.SIGINT)
    told = ended(sweep, 130)
    assert "Go on with:" in told
    assert sorted(started(commanded)) == ["seed=1", "seed=2"]
    held.unlink()
    ended(commanded.start(*words), 0)
    assert len(finished(commanded)) == 4
    assert sorted(started(commanded)) == ["seed=1", "seed=2", "seed=3", "seed=4"]

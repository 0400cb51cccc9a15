"""Several shells, as on several nodes, at one search: in a file for network disks, in a real PostgreSQL."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweeps.conftest import Commanded
from tests.sweeps.test_processes import ended, started, wait_for

pytestmark = pytest.mark.slow
TRIALS = 60


def program(name: str) -> str:
    """Return one of PostgreSQL's programs."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(debian[-1]) if debian else None)
    if found is None:
        pytest.skip("PostgreSQL is NOT TESTED, as it is not installed here: apt-get install postgresql")
    return found


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """Start a server that listens to a socket in a temporary folder alone; return a database's address."""
    pytest.importorskip("psycopg")
    initdb, server, ready = program("initdb"), program("postgres"), program("pg_isready")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}  # it refuses to run as root
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    data, quiet = folder / "data", {"stdout": subprocess.DEVNULL, "cwd": folder, **user}
    subprocess.run([initdb, "-D", data, "-U", "postgres", "-A", "trust", "-N"], check=True, **quiet)
    words = [server, "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "max_connections=20"]
    running = subprocess.Popen(words, stderr=subprocess.DEVNULL, **quiet)
    try:
        wait_for(lambda: subprocess.run([ready, "-q", "-h", folder], check=False).returncode == 0)
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_three_shells_do_sixty_trials_none_twice_though_one_is_killed(
    kind: str, commanded: Commanded, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("optuna")
    address = kind if kind == "journal" else request.getfixturevalue(kind)
    words = ["sweep=optuna", f"sweep.storage='{address}'", f"sweep.trials={TRIALS}", "sweep.pruner=none"]
    words += ["trainer.max_epochs=2", "optimizer.lr=tag(log,interval(1e-4,1e-1))"]
    shells = [commanded.start(*words) for _ in range(3)]
    try:
        wait_for(lambda: len(started(commanded)) >= TRIALS // 3)
        shells[1].send_signal(signal.SIGKILL)
        shells[1].communicate()
        told = [ended(shells[0], 0), ended(shells[2], 0)]
    finally:
        for shell in shells:
            shell.kill()
    assert all("Best: Trial" in text for text in told)

    from rnnlab.sweeps.storage import open_study, storage_of

    trials = open_study(storage_of(address, commanded.sweep())).get_trials()
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert len(complete) == TRIALS
    assert len(trials) <= TRIALS + 1  # that of the killed shell, if it died while it chose the values
    assert len({trial.params["optimizer.lr"] for trial in complete}) == TRIALS
    begun = Counter(started(commanded))
    assert len(begun) == TRIALS
    assert sorted(begun.values())[-2:] in ([1, 1], [1, 2])  # the killed shell's goes on, or starts once more
    assert max(Counter(line for line in commanded.noted() if line.endswith(" finished")).values()) == 1

"""Every test has a cache and a data folder of its own; real corpora only where a test asks for them."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported: threads cost tiny networks more than they bring, and a machine shared with
# anything else makes them wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from rnnlab.figures.drawing import Rendered

SPOT = Rendered(b"\x89PNG\r\n\x1a\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 1, 1)
REAL_DATA = os.environ.get("RNNLAB_DATA_DIR")
ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("however busy the machine", deadline=None)
settings.load_profile("however busy the machine")


@pytest.fixture(scope="session", autouse=True)
def kernels_ahead(request: pytest.FixtureRequest) -> None:
    """Compile the scans before anything else, if the whole suite is to come: two workers share it.

    Many kernels take one process a quarter of the time that each takes a process of its own, as tests would
    ask for them. What is compiled is kept on disk, beside the modules. A failure shows in the tests, which
    compile whatever they do not find.
    """
    shares = {"gw0": ["float32"], "gw1": ["float64"], "alone": ["float32", "float64"]}
    share = shares.get(os.environ.get("PYTEST_XDIST_WORKER", "alone"))
    if share is not None and len(request.session.items) > 1000:
        command = [sys.executable, "-m", "tests.kernels.compile_all", *share]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=False)


@pytest.fixture(scope="module", autouse=True)
def undrawn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let figures be made, and drawn only where a module is marked ``drawn``.

    A training of half a second draws for three. What another process draws is not touched, nor what a fixture
    of several modules does.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("drawn") is None:
            patch.setattr("rnnlab.figures.drawing.rendered", lambda figure: SPOT)
        yield


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("RNNLAB_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Take away the log handlers of a command given in this process: its log file is another test's."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Put back what takes Ctrl-C and SIGTERM: a command that was stopped leaves its own there."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of real corpora; the test is skipped where there is none."""
    if REAL_DATA is None:
        pytest.skip("RNNLAB_DATA_DIR names no folder of real corpora")
    monkeypatch.setenv("RNNLAB_DATA_DIR", REAL_DATA)
    return Path(REAL_DATA)

"""Every test has a cache and a data folder of its own; real corpora only where a test asks for them."""

import os
from pathlib import Path

# Before torch is imported: threads cost tiny networks more than they bring, and a machine shared with
# anything else makes them wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

REAL_DATA = os.environ.get("RNNLAB_DATA_DIR")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNLAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("RNNLAB_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of real corpora; the test is skipped where there is none."""
    if REAL_DATA is None:
        pytest.skip("RNNLAB_DATA_DIR names no folder of real corpora")
    monkeypatch.setenv("RNNLAB_DATA_DIR", REAL_DATA)
    return Path(REAL_DATA)

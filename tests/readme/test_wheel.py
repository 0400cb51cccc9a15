"""The wheel, away from the checkout: it loads a run and predicts, without any configuration file."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import rnnlab
from tests.readme.text import ROOT
from tests.runs.conftest import Finished

BUILD = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
ASK = """
import sys
import rnnlab
model = rnnlab.load(sys.argv[1])
print([rnnlab.__file__, model.predict_proba(["fine film", "dull"]).tolist()])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of a wheel that was built from a copy of the sources."""
    pytest.importorskip("setuptools", minversion="77")
    room = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, room)
    leave_out = shutil.ignore_patterns("*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "src", room / "src", ignore=leave_out)
    done = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=room, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(room / done.stdout.splitlines()[-1]) as wheel:
        wheel.extractall(room / "installed")
    return room / "installed"


@pytest.mark.slow
def test_it_loads_a_run_and_predicts(installed: Path, sentiment: Finished, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(sentiment.folder)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    file, shares = ast.literal_eval(done.stdout)
    assert Path(file).is_relative_to(installed)
    assert shares == rnnlab.load(sentiment.folder).predict_proba(["fine film", "dull"]).tolist()


@pytest.mark.slow
def test_it_holds_all_of_the_package(installed: Path) -> None:
    ours = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*.py")}
    found = {path.relative_to(installed) for path in installed.rglob("*.py")}
    assert found == ours
    assert (installed / "rnnlab" / "py.typed").is_file()
    assert not list(installed.rglob("*.yaml"))

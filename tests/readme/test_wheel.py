"""The wheel, away from the checkout: it loads a run, predicts and trains."""

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
from tests.training.conftest import write_reviews

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
    shutil.copytree(ROOT / "conf", room / "conf")
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
    configurations = {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    packed = installed / "rnnlab" / "conf"
    assert {path.relative_to(packed) for path in installed.rglob("*.yaml")} == configurations
    assert "rnnlab = rnnlab.commands:main" in next(installed.glob("*.dist-info/entry_points.txt")).read_text()


@pytest.mark.slow
def test_it_trains_where_there_is_no_checkout(installed: Path, tmp_path: Path) -> None:
    write_reviews(tmp_path / "mine.csv", count=60)
    words = ["data=csv", "data.corpus.train=mine.csv", "data.vocabulary.min_frequency=1", "logger=none"]
    words += ["debug=fast_dev_run", "trainer=cpu", "model.backend=torch"]
    done = subprocess.run(
        [sys.executable, "-c", "from rnnlab.commands import main; main()", "train", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "logs").rglob("metrics.json"))) == 1
    assert "rnnlab evaluate run=logs/" in done.stdout
    assert "scripts/" not in done.stdout

"""The console command ``rnnlab``: the scripts by name, and a project to begin with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import rnnlab
from rnnlab import commands
from rnnlab.folders import as_typed, command

ROOT = Path(__file__).resolve().parents[1]
Given = Callable[..., int]
Output = pytest.CaptureFixture[str]
OWN = ("my_cell", "my_corpus", "my_task")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Give ``rnnlab`` words; return its exit status."""

    def give(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/rnnlab", *words])
        try:
            commands.main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return give


def test_each_script_is_the_command_of_its_name() -> None:
    scripts = {path.stem for path in (ROOT / "scripts").glob("*.py")} - {"execute_notebooks"}
    assert scripts == set(commands.NAMES) - {"new"}
    for name in scripts:
        assert f"from rnnlab.commands.{name} import main\n" in (ROOT / "scripts" / f"{name}.py").read_text()
    assert {path.stem for path in Path(commands.__file__).parent.glob("[a-z]*.py")} == set(commands.NAMES)


def test_it_tells_what_there_is(given: Given, capsys: Output) -> None:
    assert given("--version") == 0
    assert given() == given("--help") == 0
    told = capsys.readouterr().out
    assert all(f"  rnnlab {name} " in told for name in commands.NAMES)
    assert given("trian") == 2
    assert "rnnlab trian: there is no such command. Did you mean train?" in capsys.readouterr().err


def test_its_help_speaks_of_itself(given: Given, capsys: Output) -> None:
    for name in ("train", "evaluate"):
        assert given(name, "--help") == 0
        told = capsys.readouterr().out
        assert f"rnnlab {name} " in told
        assert "scripts/" not in told


def test_further_processes_of_a_training_are_the_same_command(given: Given, capsys: Output) -> None:
    assert given("train", "--help") == 0
    capsys.readouterr()
    done = subprocess.run([sys.executable, *sys.argv], capture_output=True, text=True, check=True)
    assert "rnnlab train model=lstm" in done.stdout


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/bin/rnnlab/commands/train.py", "rnnlab predict"),
        ("scripts/train.py", "python scripts/predict.py"),
        ("pytest", "python scripts/predict.py"),
    ],
)
def test_commands_are_said_as_they_are_typed(typed: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [typed])
    assert command("predict") == said
    assert as_typed("see python scripts/predict.py --help") == f"see {said} --help"


@pytest.fixture
def project(given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project."""
    assert given("new", str(tmp_path / "rivers")) == 0
    monkeypatch.syspath_prepend(str(tmp_path / "rivers"))
    return tmp_path / "rivers"


def test_a_project_trains(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    words = [
        "experiment=mine",
        "debug=fast_dev_run",
        "logger=none",
        "trainer=cpu",
        f"trust=[{','.join(OWN)}]",
    ]
    try:
        run = rnnlab.train(words, "run", config_dir="conf")
        assert rnnlab.load(run, trust=OWN).labels == ("bad", "good")
    finally:
        for name in OWN:
            sys.modules.pop(name, None)


def test_a_project_is_tidy(project: Path) -> None:
    ruff = shutil.which("ruff", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if ruff is None:
        pytest.skip("ruff is not installed")
    settings = ["--isolated", "--line-length=110", "--select=E,F,W,B"]
    done = subprocess.run([ruff, "check", *settings, project], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_folder_that_holds_something_is_left_alone(project: Path, given: Given, capsys: Output) -> None:
    assert given("new", str(project)) == given("new") == given("new", "--here") == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_project_passes_its_own_test(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout

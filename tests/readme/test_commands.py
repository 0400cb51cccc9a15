"""Every command of the README: the quick ones are given as they stand, the long ones composed.

A command that no rule knows is an error: whoever writes one into the README says in ``rules.py`` how it is
tested.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.readme.rules import QUICK, Reader, is_long, rules_for
from tests.readme.text import ROOT, blocks, commands, words_of
from tests.runs.conftest import Finished


@pytest.fixture
def reader(
    place: Path,
    command: Callable[..., int],
    sentiment: Finished,
    language: Finished,
    monkeypatch: pytest.MonkeyPatch,
) -> Reader:
    monkeypatch.setenv("COLUMNS", "200")
    return Reader(place, command, sentiment, language, runs_long_ones=False)


@pytest.mark.parametrize("line", commands())
def test_every_command(line: str, reader: Reader) -> None:
    rules = rules_for(line)
    assert len(rules) == 1, f"{len(rules)} rules of tests/readme/test_commands.py know this command"
    rules[0](words_of(line), reader)


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in commands() if is_long(line)])
def test_every_long_command(line: str, reader: Reader) -> None:
    reader.runs_long_ones = True
    rules_for(line)[0](words_of(line), reader)


def test_there_are_commands() -> None:
    found = commands()
    assert len(found) > 30
    scripts = {Path(word).stem for line in found for word in words_of(line) if word.startswith("scripts/")}
    assert scripts >= {path.stem for path in (ROOT / "scripts").glob("*.py")}


def test_pre_commit_asks_what_the_readme_says() -> None:
    file = ROOT / ".pre-commit-config.yaml"
    hooks = yaml.safe_load(file.read_text())["repos"][0]["hooks"]
    asked = [hook["entry"].replace(" --force-exclude", "") for hook in hooks]
    assert len(asked) == 3
    assert all(any(line.startswith(entry) for line in commands()) for entry in asked)
    clientlib = pytest.importorskip("pre_commit.clientlib")
    assert clientlib.load_config(str(file))["repos"]


def test_python_does_what_the_commands_do(place: Path) -> None:
    (code,) = (block for block in blocks("python") if "rnnlab.train(" in block)
    quick = code.replace('"seed=1"', ", ".join(map(repr, ["seed=1", *QUICK])))
    assert quick != code
    known: dict[str, object] = {}
    exec(quick, known)  # the README's own lines
    assert (place / str(known["run"]) / "metrics.json").is_file()


@pytest.mark.slow
def test_several_processes_make_one_run_and_speak_once(place: Path) -> None:
    """What ``trainer.devices=4`` does on GPUs, with two processes on the CPU."""
    words = ["trainer=cpu", "trainer.devices=2", "data=csv", "data.corpus.train=mine.csv", "logger=none"]
    words += ["data.vocabulary.min_frequency=1", "model.backend=torch", "debug=fast_dev_run"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *words],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Epoch 1/1:") == done.stdout.count("training batches of at most") == 1
    (metrics,) = (place / "logs").rglob("metrics.json")
    assert len(list(metrics.parent.glob("*.log"))) == 2

"""scripts/train.py as a person calls it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from rnnlab.command_line import run_hydra
from rnnlab.folders import conf_folder
from rnnlab.training.resume import run_folder

ROOT = Path(__file__).resolve().parents[1]


def train(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_help_tells_what_there_is(tmp_path: Path) -> None:
    done = train("--help", cwd=tmp_path)
    assert done.returncode == 0
    for word in ("the encoder: ", "gru", "lstm", "rotten_tomatoes", "experiment", "optimizer.lr", "Examples"):
        assert word in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.smoke
def test_the_configuration_is_shown_without_importing_torch(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.argv = ['train.py', '--cfg', 'job', 'model=lstm']\n"
        f"runpy.run_path({str(ROOT / 'scripts' / 'train.py')!r}, run_name='__main__')\n"
        "print('torch imported' if 'torch' in sys.modules else 'light')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "cell: lstm" in done.stdout
    assert done.stdout.rstrip().endswith("light")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("modle=gru", "modle: there is no such key. Did you mean model"),
        ("model.hiden_size=3", "Did you mean model.hidden_size"),
        ("task.lr=1", "Did you mean optimizer.lr"),
        ("model=gruu", "model=gruu: there is no such choice. Did you mean gru"),
        ("data=zzz", "data=zzz: there is no such choice. Choose from: adding, an4, copy, csv"),
        ("data=mine.csv", "A table of your own: data=csv data.corpus.train=mine.csv"),
        ("data=a/book.txt", "A text of your own: task=language_model data=text data.corpus.train=a/book.txt"),
        ("resume=nowhere", "resume=nowhere: that is no run folder"),
        ("contest=language_model", "contest: this command leaves nothing to choose there"),
        ("callbacks.extra.say={_target_:own.Say}", "a + belongs before it: +callbacks.extra.say=..."),
        ("data=csv", "data.corpus.train"),
        ("trainer.max_epochs", "missing EQUAL"),
    ],
)
def test_a_mistake_ends_with_status_2_and_no_traceback(word: str, message: str, tmp_path: Path) -> None:
    done = train(word, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_signal_while_the_work_imports_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "slow_to_import.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)")
    code = (
        "import sys\nfrom rnnlab.command_line import run_hydra\nfrom rnnlab.folders import conf_folder\n"
        "from rnnlab.training.resume import run_folder\n"
        "sys.path.append('.')\nsys.argv = ['train.py', 'data=csv', 'data.corpus.train=none.csv']\n"
        "work = lambda *_: __import__('slow_to_import')\n"
        "run_hydra(work, conf_folder(), 'train', {'rnnlab.run_folder': run_folder})"
    )
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Stopped by SIGINT before anything began.\n")
    assert not list(tmp_path.rglob("train.log"))


def test_whoever_asks_for_a_runs_folder_is_told_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning asks for it when it starts the further processes of ``trainer.devices=2``."""
    told: list[Path] = []

    def work(config: dict[str, Any], folder: Path, words: list[str]) -> None:
        told.extend([folder, Path(HydraConfig.get().run.dir), Path(HydraConfig.get().run.dir)])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["scripts/train.py", "model=gru"])
    GlobalHydra.instance().clear()
    run_hydra(work, conf_folder(), "train", {"rnnlab.run_folder": run_folder})
    assert told == [told[0]] * 3
    assert list(tmp_path.glob("logs/*/*/*/*")) == [told[0]]

"""A run that is killed for real, again and again, ends as one that never was, byte for byte."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnnlab.files.checkpoint_file import read_checkpoint
from rnnlab.training.run_folder import RunFolder
from tests.training.conftest import write_reviews
from tests.training.same_end import assert_same_end

PROGRAM = Path(__file__).with_name("reported_run.py")
SENTENCES = ["the rose is red .", "the violet is blue .", "", "sugar is sweet , and so is the rose ."]
SMALL = [
    *("task.embedding_size=8", "model.hidden_size=8", "trainer=cpu", "baselines=false"),
    *("callbacks.checkpoint.every_n_steps=5", "callbacks.early_stopping.patience=null"),
]
SENTIMENT = [
    *("data=csv", "data.vocabulary.min_frequency=1", "batches.batch_size=8", "optimizer.lr=0.01"),
    "trainer.max_epochs=4",
]
LANGUAGE = [
    *("task=language_model", "data=text", "batches.batch_size=4", "batches.bptt=7", "optimizer.lr=0.01"),
    "trainer.max_epochs=3",
]
FORECASTING = [
    *("task=forecasting", "data=made_series", "data.corpus.towns=2", "data.corpus.steps=300"),
    *("data.look_back=24", "data.horizon=6", "batches.batch_size=16", "optimizer.lr=0.01"),
    *("trainer.max_epochs=3", "task.loss=quantile"),
]
GENERAL = {"sentiment": SENTIMENT, "language": LANGUAGE, "forecasting": FORECASTING}
# Beside the cells, what else has a state or a place of its own.
SPECIAL = {
    ("sentiment", "rnn"): [],
    ("sentiment", "gru"): ["trainer.accumulate_grad_batches=2", "scheduler=plateau"],
    ("sentiment", "lstm"): ["trainer.val_check_interval=0.4"],
    ("language", "rnn"): ["scheduler=plateau"],
    ("language", "gru"): ["optimizer=averaged_sgd", "optimizer.patience=1", "scheduler=none"],
    ("language", "lstm"): ["batches.random_lengths=true", "trainer.val_check_interval=13"],
    ("forecasting", "gru"): ["task.decoder=recursive", "task.forcing=0.8", "task.final_forcing=0.2"],
    ("forecasting", "mingru"): ["task.decoder=segments", "task.segment=6", "task.dropout=0.3"],
}


class Runs:
    """Trains in processes of their own.

    Args:
        folder: where everything goes.
        words: the command's.
    """

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.folder, self.words = folder, words
        self.environment = {**os.environ, "RNNLAB_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1"}

    def start(self, run: Path) -> "subprocess.Popen[str]":
        """Begin the run, or go on with it where it has begun."""
        begun = RunFolder(run).config_file.exists()
        where = [f"resume={run}"] if begun else [f"hydra.run.dir={run}"]
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), *self.words, *where],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, run: Path) -> str:
        """Train to the end, and return what was said."""
        done = self.start(run)
        out, err = done.communicate()
        assert done.returncode == 0, out + err
        return out

    def kill_at(self, run: Path, step: int, seconds: float) -> None:
        """Kill the run so long after it began the step."""
        with self.start(run) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("step ") and int(line.split()[1]) >= step:
                    time.sleep(seconds)
                    process.kill()
                    break
            process.stdout.read()
        assert process.returncode == -signal.SIGKILL
        assert not RunFolder(run).metrics_file.exists()


def corpus(task: str, folder: Path) -> list[str]:
    if task == "sentiment":
        return [f"data.corpus.train={write_reviews(folder / 'reviews.csv')}"]
    if task == "forecasting":
        return []  # made from a seed
    text = folder / "roses.txt"
    text.write_text("\n".join(SENTENCES * 60), encoding="utf-8")
    return [f"data.corpus.train={text}"]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "cell"), list(SPECIAL))
def test_killed_five_times_it_ends_as_if_never(task: str, cell: str, tmp_path: Path) -> None:
    words = [*GENERAL[task], *corpus(task, tmp_path), *SMALL, f"model={cell}", *SPECIAL[task, cell]]
    runs = Runs(tmp_path, words)
    runs.finish(tmp_path / "whole")
    steps = int(read_checkpoint(RunFolder(tmp_path / "whole").last)["global_step"])
    chance = random.Random(f"{task} {cell}")
    for share in sorted(chance.uniform(0.05, 0.75) for _ in range(5)):
        runs.kill_at(tmp_path / "killed", round(share * steps), chance.uniform(0, 0.05))
    runs.finish(tmp_path / "killed")
    assert_same_end(tmp_path / "whole", tmp_path / "killed")

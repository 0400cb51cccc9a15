"""A task of one's own, on sequences of numbers: one module, ``task=custom``, and every command serves it."""

import csv
import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import rnnlab
from rnnlab.errors import RunError
from tests.runs.conftest import command as command  # the fixture

MODULE = """
import csv
import hashlib
from pathlib import Path

import numpy as np
from torch import nn

from rnnlab.data.bucketing import BucketedBatches
from rnnlab.data.documents import SequenceLoader
from rnnlab.data.task_data import TaskData
from rnnlab.encoder.encoder import build_encoder
from rnnlab.tasks.task import Task


class Waves:  # a line a wave: its split, its frequency, its values
    name = "waves"

    def __init__(self, file):
        self.file = Path(file)

    @property
    def fingerprint(self):
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def split(self, name):
        rows = [row for row in csv.reader(self.file.open()) if row[0] == name]
        waves = [np.array(row[2:], dtype=np.float32)[:, None] for row in rows]
        return waves, np.array([float(row[1]) for row in rows], dtype=np.float32)


class WaveData(TaskData):
    def __init__(self, *, batch_size=8, **options):
        super().__init__(**options)
        self.batch_size = batch_size

    def loader(self, split, shuffle):
        waves, frequencies = self.corpus.split(split)
        rank, processes = self.rank_and_size()
        plan = BucketedBatches(
            [len(wave) for wave in waves], self.batch_size,
            shuffle=shuffle, seed=self.seed, rank=rank, processes=processes,
        )
        return SequenceLoader(waves, frequencies, plan)

    def train_loader(self):
        return self.loader("train", shuffle=True)

    def val_dataloader(self):
        return self.loader("validation", shuffle=False)

    def test_dataloader(self):
        return self.loader("test", shuffle=False)

    def model_arguments(self):
        return {"input_size": 1}


class Frequency(Task):
    monitor, mode = "validation/loss", "min"

    def __init__(self, *, model, input_size, optimizer=None, scheduler=None):
        super().__init__(optimizer, scheduler)
        self.encoder = build_encoder(model, input_size)
        self.readout = nn.Linear(self.encoder.output_size, 1)

    def score(self, batch, stage):
        outputs, _ = self.encoder(batch.inputs, batch.lengths)
        found = self.readout(outputs[range(len(outputs)), batch.lengths - 1]).squeeze(1)
        off = (found - batch.targets)[batch.valid]
        scores = {f"{stage}/loss": off.square().mean(), f"{stage}/off_by": off.abs().mean()}
        self.log_dict(scores, on_step=False, on_epoch=True, batch_size=len(off))
        return scores[f"{stage}/loss"]

    def training_step(self, batch, index):
        return self.score(batch, "train")

    def validation_step(self, batch, index):
        self.score(batch, "validation")

    def test_step(self, batch, index):
        self.score(batch, "test")
"""
OWN = [
    *("task=custom", "task._target_=own_waves.Frequency"),
    *("batches=custom", "batches._target_=own_waves.WaveData", "+batches.batch_size=16"),
    *("data=sequences", "data.corpus._target_=own_waves.Waves", "+data.corpus.file=waves.csv"),
    *("model.hidden_size=6", "model.backend=torch", "optimizer.lr=0.01", "scheduler=none"),
    *("trainer=cpu", "trainer.max_epochs=2"),
]


def write_waves(file: Path, seed: int = 1) -> None:
    chance = random.Random(seed)
    with file.open("w", newline="") as lines:
        for split, count in (("train", 48), ("validation", 16), ("test", 17)):
            for _ in range(count):
                frequency = chance.random()
                values = [math.sin(frequency * step) for step in range(chance.randint(4, 12))]
                csv.writer(lines).writerow([split, frequency, *values])


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the module and its data, where runs share what is trained."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_waves.py").write_text(MODULE, encoding="utf-8")
    write_waves(folder / "waves.csv")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("own_waves", None)


@pytest.fixture
def run(room: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., int]) -> Path:
    """A finished run of two epochs; the working folder is where it lies."""
    monkeypatch.chdir(room)
    folder = room / "run"
    if not folder.exists():
        assert command("train", *OWN, f"hydra.run.dir={folder}") == 0
    return folder


def test_it_trains_without_a_word_about_words(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics["test"]) == {"loss", "off_by"}
    assert metrics["baselines"] == {}
    config = (run / "config.yaml").read_text()
    assert "tokenizer" not in config
    assert "vocabulary" not in config


def test_evaluate_gives_the_figures_once_more(
    run: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("evaluate", f"run={run}") == 2
    assert "trust=own_waves" in capsys.readouterr().err
    assert command("evaluate", f"run={run}", "trust=own_waves") == 0
    told = capsys.readouterr().out
    assert "digit for digit" in told
    assert "17 sequences" in told


def test_it_goes_on_with_its_own_data_only(
    run: Path, room: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = room / "whole", room / "parts"
    for folder, epochs in ((whole, 3), (parts, 1)):
        assert command("train", *OWN, f"trainer.max_epochs={epochs}", f"hydra.run.dir={folder}") == 0
    write_waves(room / "waves.csv", seed=2)
    on = [f"resume={parts}", "trainer.max_epochs=3", "trust=own_waves"]
    assert command("train", *on) == 2
    assert "The corpus has changed since this run: waves had the fingerprint" in capsys.readouterr().err
    write_waves(room / "waves.csv")
    assert command("train", *on) == 0
    scores = [json.loads((folder / "metrics.json").read_text())["test"] for folder in (whole, parts)]
    assert scores[0] == scores[1]


def test_a_sweep_its_table_and_its_plots(
    run: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", "-m", *OWN, "model=rnn,gru", "logger=none") == 0
    assert "best validation/loss" in capsys.readouterr().out
    assert command("results", "logs/sweeps") == 0
    table = capsys.readouterr().out
    assert "loss" in table
    assert "off_by" not in table, "the metric that chooses"
    assert command("plot", f"run={run}") == 0
    assert (run / "figures" / "curve_off_by.png").is_file()


def test_what_it_cannot_do_is_refused_with_a_reason(
    run: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for words, reason in (
        (("predict", "text=a"), "task=custom, which can't tell classes"),
        (("predict", "text=a", "explain=true"), "task=custom, which can't explain an answer"),
        (("generate", "prompt=a"), "task=custom, which can't write"),
        (("export", "format=onnx"), "task=custom has no such export"),
        (("export", "format=torchscript"), "task=custom has no such export"),
        (("evaluate", f"run={run}", "ensemble=true"), "ensemble=true is for task=sentiment"),
        (("evaluate", "labels=a,b"), "task=custom tells no classes"),
    ):
        script, *more = words
        assert command(script, f"run={run}", *more, "trust=own_waves") == 2, words
        assert reason in " ".join(capsys.readouterr().err.split())
    assert command("train", f"init_from={run}", *OWN) == 2
    assert "task=custom can't start from another run" in " ".join(capsys.readouterr().err.split())


def test_its_weights_can_be_exported_and_it_loads(
    run: Path, tmp_path: Path, command: Callable[..., int]
) -> None:
    pytest.importorskip("safetensors")
    file = tmp_path / "waves.safetensors"
    words = ["format=safetensors", f"output={file}", "trust=own_waves"]
    assert command("export", f"run={run}", *words) == 0
    with pytest.raises(RunError, match=r"names own_waves\."):
        rnnlab.load(run)
    model = rnnlab.load(run, trust=["own_waves"])
    batch = torch.randn(2, 5, 1)
    assert model.task.encoder(batch, torch.tensor([5, 3]))[0].shape == (2, 5, 6)


def test_a_corpus_without_a_fingerprint_is_refused(
    run: Path, room: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    own = [word.replace("own_waves.Waves", "own_nameless.Nameless") for word in OWN]
    (room / "own_nameless.py").write_text(
        "class Nameless:\n    name = 'x'\n    def __init__(self, file): ..."
    )
    assert command("train", *own) == 2
    assert "Nameless has no fingerprint" in capsys.readouterr().err


def test_the_averaging_optimizer_averages_here_too(
    run: Path, room: Path, command: Callable[..., int]
) -> None:
    more = [
        "optimizer=averaged_sgd",
        "optimizer.lr=3",
        "optimizer.patience=1",
        "scheduler=none",
        "logger=none",
    ]
    more += [
        "trainer.max_epochs=6",
        "callbacks.early_stopping.patience=null",
        f"hydra.run.dir={room / 'mean'}",
    ]
    assert command("train", *OWN, *more) == 0
    last = torch.load(room / "mean" / "checkpoints" / "last.ckpt", weights_only=True)
    group = last["optimizer_states"][0]["param_groups"][0]
    assert group["averaging"]
    assert len(group["seen"]) == 6

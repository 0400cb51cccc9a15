"""One language model, forwards and backwards, that every test here starts from; none may change it."""

import csv
import hashlib
import logging
import os
import random
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers
from rnnlab.training.fit import fit

CONF = Path(__file__).resolve().parents[2] / "conf"
WORDS = {
    "good": ["fine", "lovely", "warm", "bright", "moving"],
    "bad": ["dull", "cold", "flat", "tired", "stale"],
    "any": ["the", "film", "story", "music", "ending", "a", "it", "was", "very"],
}
LANGUAGE = [
    *("task=language_model", "model=awd_lstm", "model.hidden_size=7", "model.layers=2"),
    *("task.embedding_size=5", "task.head=adaptive", "task.cutoffs=[6]"),
    *("batches.batch_size=4", "batches.bptt=9", "trainer.max_epochs=1", "optimizer.lr=0.01"),
]
SHARED = ["data=csv", "data.vocabulary.min_frequency=1", "trainer=cpu", "logger=none", "baselines=false"]


class Room(NamedTuple):
    """Where the language models and their data are."""

    forwards: Path
    backwards: Path
    notes: Path
    """The language model's text: other words, in other numbers, than the reviews'."""
    reviews: Path


def write_table(path: Path, more: list[str], count: int, seed: int) -> Path:
    """Write labelled reviews of 2 to 30 words, among them the words of ``more``."""
    draw = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for number in range(count):
            label = ("good", "bad")[number % 2]
            words = [*WORDS["any"], *WORDS[label], *more]
            table.writerow([" ".join(draw.choices(words, k=draw.randint(2, 30))), label])
    return path


def composed(*overrides: str) -> dict[str, Any]:
    register_resolvers()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(hydra.compose("train", [*SHARED, *overrides]), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


@contextmanager
def cache_at(folder: Path) -> Iterator[None]:
    before = os.environ.get("RNNLAB_CACHE_DIR")
    os.environ["RNNLAB_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("RNNLAB_CACHE_DIR")
        if before is not None:
            os.environ["RNNLAB_CACHE_DIR"] = before


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    folder = tmp_path_factory.mktemp("transfer")
    notes = write_table(folder / "notes.csv", ["meadow", "bridge", "engine"], count=200, seed=1)
    reviews = write_table(folder / "reviews.csv", ["harbour", "violin"], count=120, seed=2)
    with cache_at(folder / "cache"):
        for name, backward in (("forwards", "false"), ("backwards", "true")):
            text = f"data.corpus.train={notes}"
            fit(composed(*LANGUAGE, text, f"batches.backward={backward}"), folder / name)
    return Room(folder / "forwards", folder / "backwards", notes, reviews)


@pytest.fixture
def classifier(room: Room) -> Callable[..., dict[str, Any]]:
    """Compose a classifier that fits the language model; overrides as on the command line."""

    def made(*overrides: str) -> dict[str, Any]:
        return composed(
            *("model=awd_lstm", "model.hidden_size=7", "model.layers=2", "task.embedding_size=5"),
            *("batches.batch_size=16", "trainer.max_epochs=1", "optimizer.lr=0.01"),
            f"data.corpus.train={room.reviews}",
            f"init_from={room.forwards}",
            *overrides,
        )

    return made


def digest(folder: Path) -> str:
    """Return a digest of every file of a folder, its name and content."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            whole.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return whole.hexdigest()


def run_script(monkeypatch: pytest.MonkeyPatch, script: str, *words: str) -> int:
    """Run a script with words of its command line; return its exit status."""
    monkeypatch.setattr(sys, "argv", [f"{script}.py", *words])
    GlobalHydra.instance().clear()
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        runpy.run_path(str(CONF.parent / "scripts" / f"{script}.py"), run_name="__main__")
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        root.handlers = before  # Hydra's write into the run's folder, which may be gone
    return 0

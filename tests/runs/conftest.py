"""One finished run for all tests here, moved away from where it was trained, its data and cache gone."""

import os
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from rnnlab.command_line import register_resolvers
from rnnlab.training.fit import fit
from tests.training.conftest import write_reviews

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "batches.batch_size=16",
    "task.embedding_size=8",
    "model.hidden_size=8",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "optimizer.lr=0.01",
    "logger=none",
    "baselines=false",
]


class Finished(NamedTuple):
    """A run's folder, the data it was trained on, and what training returned."""

    folder: Path
    data: Path
    metrics: dict[str, Any]


def composed(*overrides: str) -> dict[str, Any]:
    return composed_of([*SMALL, *overrides])


def composed_of(overrides: list[str]) -> dict[str, Any]:
    register_resolvers()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(hydra.compose("train", overrides=overrides), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def finish(room: Path, data: Path, *overrides: str) -> Finished:
    """Train on ``data``, then move the run and remove the cache."""
    before = os.environ.get("RNNLAB_CACHE_DIR")
    os.environ["RNNLAB_CACHE_DIR"] = str(room / "cache")
    try:
        metrics = fit(composed(f"data.corpus.train={data}", *overrides), room / "run")
    finally:
        os.environ.pop("RNNLAB_CACHE_DIR")
        if before is not None:
            os.environ["RNNLAB_CACHE_DIR"] = before
    shutil.rmtree(room / "cache")
    (room / "elsewhere").mkdir()
    return Finished((room / "run").rename(room / "elsewhere" / "moved"), data, metrics)


@pytest.fixture(scope="session")
def sentiment(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    room = tmp_path_factory.mktemp("sentiment")
    return finish(room, write_reviews(room / "reviews.csv"), "data=csv", "data.vocabulary.min_frequency=1")


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    room = tmp_path_factory.mktemp("three")
    table = write_reviews(room / "reviews.csv", labels=("good", "bad", "odd"))
    kind = ["model=lstm", "model.bidirectional=true", "task.pooling=attention", "batches.max_length=12"]
    return finish(room, table, "data=csv", "data.vocabulary.min_frequency=1", *kind)


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    room = tmp_path_factory.mktemp("language")
    text = room / "roses.txt"
    text.write_text("\n".join(["the rose is red .", "the violet is blue .", ""] * 60), encoding="utf-8")
    return finish(
        room,
        text,
        "data=text",
        "task=language_model",
        "batches.batch_size=4",
        "batches.bptt=9",
        "trainer.max_epochs=6",
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a script with words of its command line; return its exit status."""

    def run(script: str, *words: object) -> int:
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *map(str, words)])
        GlobalHydra.instance().clear()
        try:
            runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), run_name="__main__")
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run

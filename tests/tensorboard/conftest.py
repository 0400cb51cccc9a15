"""One small run of each task, logged, and its twin without a logger."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from rnnlab.figures.drawing import rendered
from rnnlab.training.fit import fit
from tests.runs.conftest import SMALL, composed_of
from tests.runs.conftest import command as command  # the fixture
from tests.training.conftest import write_reviews

QUICK = ["trainer.log_every_n_steps=2", "model.backend=torch"]  # compile no kernels here


class Twins(NamedTuple):
    """The folders of two runs that differ in their logger only."""

    logged: Path
    silent: Path


def train(room: Path, name: str, *overrides: str) -> Path:
    """Train with a cache in ``room``, and return the run folder."""
    before = os.environ.get("RNNLAB_CACHE_DIR")
    os.environ["RNNLAB_CACHE_DIR"] = str(room / "cache")
    kept = [word for word in SMALL if not word.startswith("logger=")]
    try:
        fit(composed_of([*kept, *QUICK, *overrides]), room / "logs" / name)
    finally:
        os.environ.pop("RNNLAB_CACHE_DIR")
        if before is not None:
            os.environ["RNNLAB_CACHE_DIR"] = before
    return room / "logs" / name


def twins(room: Path, *overrides: str, logger: tuple[str, ...] = ()) -> Twins:
    """Train with TensorBoard, its options being ``logger``, and without.

    Figures are drawn, whichever module is the first to ask for the twins.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnlab.figures.drawing.rendered", rendered)
        logged = train(room, "logged", *overrides, *logger)
    return Twins(logged, train(room, "silent", *overrides, "logger=none"))


@pytest.fixture(scope="session")
def sentiment(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    room = tmp_path_factory.mktemp("sentiment")
    table = write_reviews(room / "reviews.csv")
    return twins(room, "data=csv", f"data.corpus.train={table}", "data.vocabulary.min_frequency=1")


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    room = tmp_path_factory.mktemp("language")
    text = room / "roses.txt"
    text.write_text("\n".join(["the rose is red .", "the violet is *blue* .", ""] * 60), encoding="utf-8")
    return twins(
        room,
        *("data=text", f"data.corpus.train={text}", "task=language_model"),
        *("batches.batch_size=4", "batches.bptt=9"),
        logger=("logger.prompt='the rose'", "logger.words=5"),
    )

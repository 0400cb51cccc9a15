"""The recipes that compare cells give each as many parameters, and train."""

import math
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from rnnlab.cells import cell_classes
from rnnlab.encoder.encoder import build_encoder
from rnnlab.training.fit import fit
from tests.runs.conftest import ROOT, composed_of
from tests.training.conftest import write_reviews

CONF = ROOT / "conf"
INPUT_SIZES = {"cells": 100, "cells_ptb": 200, "cells_adding": 2}


@pytest.mark.parametrize("cell", cell_classes())
@pytest.mark.parametrize("recipe", INPUT_SIZES)
def test_every_cell_has_as_many_parameters(recipe: str, cell: str) -> None:
    wanted = OmegaConf.load(CONF / "experiment" / f"{recipe}.yaml")
    assert OmegaConf.select(wanted, "task.embedding_size", default=2) == INPUT_SIZES[recipe]
    model = OmegaConf.merge(OmegaConf.load(CONF / "model" / f"{cell}.yaml"), wanted.model)
    encoder = build_encoder({str(key): value for key, value in model.items()}, INPUT_SIZES[recipe])
    count = sum(weight.numel() for weight in encoder.parameters())  # type: ignore[attr-defined]
    assert abs(count - model.parameters) <= 0.02 * model.parameters


TINY = ["trainer=cpu", "trainer.max_epochs=1", "logger=none", "baselines=false"]
REVIEWS = ["data=csv", "data.corpus.train={}", "data.vocabulary.min_frequency=1"]
RECIPES = {
    "cells": [*REVIEWS, "model=minlstm", "model.parameters=2000"],
    "cells_ptb": [
        "data=text",
        "data.corpus.train={}",
        "model=sru",
        "model.parameters=4000",
        "batches.bptt=9",
    ],
    "cells_adding": ["model=lem", "model.parameters=400", "data.distance=5", "batches.train=128"],
    "lra_text": [*REVIEWS, "model.hidden_size=4"],
    "lra_text_lru": [*REVIEWS, "model.hidden_size=4", "task.embedding_size=4", "model.layers=2"],
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains(recipe: str, tmp_path: Path) -> None:
    table = write_reviews(tmp_path / "reviews.csv")
    words = [word.format(table) for word in RECIPES[recipe]]
    metrics = fit(composed_of([f"experiment={recipe}", *words, *TINY]), tmp_path / "run")
    assert math.isfinite(metrics["test"]["loss"])
    assert metrics["tokens_per_second"] > 0

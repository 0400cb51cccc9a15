"""The recipes that compare cells give each as many parameters."""

import pytest
from omegaconf import OmegaConf

from rnnlab.cells import cell_classes
from rnnlab.encoder.encoder import build_encoder
from tests.runs.conftest import ROOT

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

"""A run of a former version names classes where they once were; it answers all the same."""

import shutil
from pathlib import Path

import pytest
import torch

import rnnlab
from rnnlab.build import locate_class
from rnnlab.renamed import RENAMED
from rnnlab.training.run_folder import RunFolder
from tests.runs.conftest import Finished

TEXTS = ["a fine film", "dull and cold"]


@pytest.mark.parametrize("name", RENAMED.values())
def test_every_present_name_is_there(name: str) -> None:
    assert locate_class(name, object, "section").__name__ == name.rpartition(".")[2]


def test_a_run_with_former_names_answers(sentiment: Finished, tmp_path: Path) -> None:
    old = RunFolder(Path(shutil.copytree(sentiment.folder, tmp_path / "old")))
    present = old.config()["model"]["_target_"]
    former = next(name for name, now in RENAMED.items() if now == present)
    old.config_file.write_text(old.config_file.read_text().replace(present, former))
    checkpoint = torch.load(old.best, weights_only=True)
    checkpoint["rnnlab"]["config"]["model"]["_target_"] = former
    torch.save(checkpoint, old.best)
    assert former in old.config_file.read_text()
    assert old.config() == RunFolder(sentiment.folder).config()
    model = rnnlab.load(old.path)
    assert (model.predict_proba(TEXTS) == rnnlab.load(sentiment.folder).predict_proba(TEXTS)).all()

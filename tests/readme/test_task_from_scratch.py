"""``task=custom``: a task that shares nothing with rnnlab's own but the encoder."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import rnnlab
from rnnlab.errors import RunError
from tests.training.conftest import write_reviews

RATING = "tests.readme.rating.Rating"


def test_it_trains_is_evaluated_and_goes_on(
    command: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "stars.csv", labels=("bad", "odd", "good"))
    words = ["data=csv", "data.corpus.train=stars.csv", "data.corpus.labels=[bad,odd,good]"]
    words += ["data.vocabulary.min_frequency=1", "trainer=cpu", "model.backend=torch", "model.hidden_size=8"]
    own = ["task=custom", f"task._target_={RATING}", "+task.embedding_size=6"]
    more = ["optimizer.lr=0.05", "trainer.max_epochs=8", "batches.batch_size=16", "baselines=false"]
    assert command("train", *words, *own, *more) == 0
    assert "evaluate.py run=logs/custom/csv/gru" in (told := capsys.readouterr().out)
    assert re.search(r"evaluate.py run=\S+ trust=tests\n", told)
    assert re.search(r"train.py resume=\S+ trainer.max_epochs=\d+ trust=tests\n", told)
    (file,) = Path("logs/custom/csv/gru").glob("*/metrics.json")
    scores = json.loads(file.read_text())["test"]
    assert scores["off_by"] < 0.6  # always guessing odd is off by 0.67
    with pytest.raises(RunError, match=r"names tests\.readme\.rating\.Rating.*trust=tests"):
        rnnlab.load(file.parent)
    model = rnnlab.load(file.parent, trust=["tests"])
    assert model.labels == ("bad", "odd", "good")
    capsys.readouterr()
    assert command("evaluate", f"run={file.parent}", "trust=tests") == 0
    assert "digit for digit" in capsys.readouterr().out
    further = ["train", f"resume={file.parent}", "trainer.max_epochs=9"]
    assert command(*further) == 2
    assert "trust=tests" in capsys.readouterr().err
    assert command(*further, "trust=tests") == 0
    capsys.readouterr()
    assert command("results", "logs") == 0
    assert "off_by" not in capsys.readouterr().out  # the loss chooses the checkpoint

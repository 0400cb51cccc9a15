"""The language from its end, and the ensemble of both directions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnlab.errors import ConfigError, RunError
from rnnlab.runs.evaluation import evaluated
from rnnlab.runs.evaluation_report import evaluated_together
from rnnlab.runs.load import load
from rnnlab.tasks.sentiment.answers import classifier_scores
from rnnlab.text.vocabulary import EOS_ID
from rnnlab.training.fit import assemble_data, fit
from tests.transfer.conftest import LANGUAGE, Room, composed, run_script

Compose = Callable[..., dict[str, Any]]


def test_every_token_but_the_last_end_is_read_the_other_way_round(room: Room) -> None:
    texts = []
    for backward in ("false", "true"):
        config = composed(*LANGUAGE, f"data.corpus.train={room.notes}", f"batches.backward={backward}")
        data: Any = assemble_data(config)
        data.prepare()
        texts.append(data.text("train").whole())
    forwards, backwards = texts
    assert forwards[-1] == backwards[-1] == EOS_ID
    assert backwards[:-1].tolist() == forwards[:-1][::-1].tolist()


def test_a_backward_model_tells_a_text_as_a_forward_one_tells_it_turned_round(room: Room) -> None:
    model: Any = load(room.backwards, device="cpu")
    assert model.task.reads_backward
    words = ["the", "film", "was", "a", "dull", "meadow"]
    found = model.surprisals(words)
    model.task.reads_backward = False
    turned = model.surprisals(words[::-1])
    assert found[:-1].tolist() == turned[:-1][::-1].tolist()
    assert found[-1] == turned[-1]


def test_it_writes_what_comes_before(room: Room) -> None:
    model: Any = load(room.backwards, device="cpu")
    text = model.generate("a dull ending", max_tokens=6, seed=1)[0]
    assert text.endswith("a dull ending")
    assert len(text) > len("a dull ending")


def test_the_ensemble_is_the_mean_of_the_probabilities(
    classifier: Compose, room: Room, tmp_path: Path
) -> None:
    fit(classifier(), tmp_path / "one")
    fit(classifier(f"init_from={room.backwards}", "task.backward=true"), tmp_path / "other")
    paths = [tmp_path / "one", tmp_path / "other"]
    found, together = evaluated_together(paths)
    for path, result in zip(paths, found, strict=True):
        alone = evaluated(path)
        assert result["metrics"] == pytest.approx(alone["metrics"], rel=1e-5)
        assert {**result, "metrics": None} == {**alone, "metrics": None}
    module: Any = assemble_data(load(paths[0]).config)
    texts = [(document.text, document.label) for document in module.corpus.documents("test")]
    mean = np.mean([load(path).predict_proba([text for text, _ in texts]) for path in paths], axis=0)
    targets = np.array([label for _, label in texts])
    assert together["accuracy"] == pytest.approx((mean.argmax(axis=1) == targets).mean())
    assert together["loss"] == pytest.approx(-np.log(mean[np.arange(len(targets)), targets]).mean(), rel=1e-5)


def test_the_command_shows_and_writes_it(
    classifier: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(classifier(), tmp_path / "one")
    words = [f"run={tmp_path}/one", f"run={tmp_path}/one/checkpoints/best.ckpt", "ensemble=true"]
    assert run_script(monkeypatch, "evaluate", *words, f"output={tmp_path}/figures.json") == 0
    assert "ensemble" in capsys.readouterr().out
    report = json.loads((tmp_path / "figures.json").read_text())
    assert report["ensemble"] == pytest.approx(report["runs"][0]["metrics"], rel=1e-5)


def test_what_is_no_ensemble_is_told(classifier: Compose, room: Room, tmp_path: Path) -> None:
    fit(classifier(), tmp_path / "one")
    with pytest.raises(ConfigError, match="at least two runs"):
        evaluated_together([tmp_path / "one"])
    with pytest.raises(RunError, match=r"is a run of task=language_model; ensemble=true is for"):
        evaluated_together([tmp_path / "one", room.forwards])
    config = classifier("data.corpus.test_fraction=0.3")
    fit(config, tmp_path / "other")
    with pytest.raises(ConfigError, match="do not answer the same question"):
        evaluated_together([tmp_path / "one", tmp_path / "other"])


def test_scores_of_more_than_two_classes_name_them() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]])
    found = classifier_scores(probabilities, np.array([0, 1, 2, 1]), ("a", "b", "c"))
    assert found["accuracy"] == pytest.approx(0.75)
    assert found["f1/b"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx(-np.log([0.7, 0.8, 0.4, 0.3]).mean())

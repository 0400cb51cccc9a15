"""A run folder that was moved answers by itself, and what is no run is refused."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnlab
from rnnlab.errors import ConfigError, RunError
from rnnlab.tasks.language_model.generation import Sampling
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from tests.runs.conftest import Finished

TEXTS = ["fine lovely warm", "", "dull cold flat tired the film", "a it was", "unheard words only"]


def checkpoint(run: Finished) -> dict[str, Any]:
    content = torch.load(run.folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"batches": None}},
        {"config": {"batches": {}}},
        {"config": {"batches": {"max_length": -1, "truncate": "head"}}},
        {"config": {"batches": {"max_length": 40, "truncate": ["head"]}}},
        {"labels": []},
        {"labels": ["good", "bad", "ugly"]},
    ],
)
def test_what_does_not_belong_together_is_damaged(
    changes: dict[str, Any], sentiment: Finished, tmp_path: Path
) -> None:
    content = checkpoint(sentiment)
    known = content["rnnlab"]
    for name, change in changes.items():
        known[name] = {**known[name], **change} if isinstance(change, dict) else change
    torch.save(content, tmp_path / "best.ckpt")
    with pytest.raises((ConfigError, RunError), match=r"best\.ckpt is damaged|batches\.truncate"):
        rnnlab.load(tmp_path / "best.ckpt")


def test_answers_without_conf_and_working_folder_and_imports_lightly(
    sentiment: Finished, tmp_path: Path
) -> None:
    code = (
        "import sys, rnnlab; assert 'torch' not in sys.modules;"
        f"print(rnnlab.load({str(sentiment.folder)!r}).predict({TEXTS!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(rnnlab.load(sentiment.folder).predict(TEXTS))


@pytest.mark.parametrize("name", ["sentiment", "three_classes"])
@pytest.mark.smoke
def test_batches_change_nothing_and_keep_the_order(name: str, request: pytest.FixtureRequest) -> None:
    model = rnnlab.load(request.getfixturevalue(name).folder)
    assert isinstance(model, TrainedClassifier)
    texts = [" ".join(TEXTS[: i % 5 + 1] * (i % 7)) for i in range(60)]
    together = model.predict_proba(texts)
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    in_windows = np.stack([prediction.probabilities for prediction in model.predictions(texts, window=7)])
    assert together.shape == (60, len(model.labels))
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(together, in_windows, atol=1e-6)
    assert model.predict(texts) == [model.labels[i] for i in alone.argmax(axis=1)]
    assert model.predict_proba([]).shape == (0, len(model.labels))


def test_reads_what_training_reads(three_classes: Finished) -> None:
    model = rnnlab.load(three_classes.folder)
    assert isinstance(model, TrainedClassifier)
    words = [f"{word}" for word in ["fine", "dull", "odd", "the", "film", "story"] * 5]
    (whole,) = model.predictions([" ".join(words)])
    assert (whole.tokens, whole.read) == (30, 12)
    cut = " ".join(words[:6] + words[-6:])  # the run's truncate=head_tail
    np.testing.assert_allclose(model.predict_proba([" ".join(words)]), model.predict_proba([cut]), atol=1e-6)
    (empty,) = model.predictions([""])
    assert (empty.tokens, empty.read) == (0, 1)


def test_one_string_is_not_taken_for_many(sentiment: Finished) -> None:
    with pytest.raises(TypeError, match="list of texts"):
        rnnlab.load(sentiment.folder).predict("good")


def test_a_million_words(sentiment: Finished) -> None:
    assert rnnlab.load(sentiment.folder).predict(["fine " * 1_000_000])[0] in ("good", "bad")


def test_each_kind_refuses_what_the_other_does(sentiment: Finished, language: Finished) -> None:
    classifier, writer = rnnlab.load(sentiment.folder), rnnlab.load(language.folder)
    with pytest.raises(RunError, match="task=sentiment, which can't write"):
        classifier.generate("x")
    with pytest.raises(RunError, match="can't tell a perplexity"):
        classifier.perplexity("x")
    with pytest.raises(RunError, match="task=language_model, which can't tell classes"):
        writer.predict(["x"])
    with pytest.raises(ConfigError, match="device=tpu"):
        rnnlab.load(sentiment.folder, device="tpu")


def test_a_language_model_writes_and_is_less_surprised_by_what_it_knows(language: Finished) -> None:
    model = rnnlab.load(language.folder)
    assert model.generate("the rose", max_tokens=5, samples=2, seed=3)[0].startswith("the rose")
    assert model.perplexity("the rose is red .") < model.perplexity("red red the the .")
    assert np.isfinite(model.perplexity(""))
    explanation = model.explain("the rose is red .")
    assert explanation.words[-1] == "<eos>"
    perplexity = np.exp(np.mean(explanation.values))
    assert perplexity == pytest.approx(model.perplexity("the rose is red ."))
    long = model.explain("the rose is red . " * 200)  # several windows, the state carried between them
    again = model.explain("the rose is red . " * 201)
    np.testing.assert_allclose(long.values[:-1], again.values[: len(long.values) - 1], atol=1e-5)


class Payload:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize("way", ["torch", "pickle"])
@pytest.mark.smoke
def test_a_pickle_that_would_run_code_is_refused(way: str, sentiment: Finished, tmp_path: Path) -> None:
    witness, file = tmp_path / "ran", tmp_path / "malicious.ckpt"
    content = {**checkpoint(sentiment), "extra": Payload(witness)}
    if way == "torch":
        torch.save(content, file)
    else:
        file.write_bytes(pickle.dumps(content["extra"], protocol=2))
    told = {"torch": r"would run code when loaded \(it names \w+\.mkdir\)", "pickle": "nothing of it was run"}
    with pytest.raises(RunError, match=told[way]):
        rnnlab.load(file)
    assert not witness.exists()
    with file.open("rb") as stream:  # the payload is a real one
        torch.load(file, weights_only=False) if way == "torch" else pickle.load(stream)
    assert witness.exists()


@pytest.mark.parametrize(
    ("section", "target", "message"),
    [
        ("task", "os.system", r"names os\.system \(task\)"),
        ("model", "subprocess.Popen", r"names subprocess\.Popen \(model\)"),
        ("tokenizer", "antigravity.fly", r"names antigravity\.fly"),
        ("data", "rnnlabels.Corpus", r"names rnnlabels\.Corpus"),
    ],
)
def test_a_configuration_that_names_other_code_is_refused(
    section: str, target: str, message: str, sentiment: Finished, tmp_path: Path
) -> None:
    content = checkpoint(sentiment)
    config = content["rnnlab"]["config"]
    (config["data"]["corpus"] if section == "data" else config[section])["_target_"] = target
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(RunError, match=message):
        rnnlab.load(tmp_path / "bad.ckpt")
    assert "antigravity" not in sys.modules


def test_trusted_code_is_still_of_the_right_kind(sentiment: Finished, tmp_path: Path) -> None:
    content = checkpoint(sentiment)
    content["rnnlab"]["config"]["model"] = {"_target_": "subprocess.Popen", "args": ["true"]}
    torch.save(content, tmp_path / "bad.ckpt")
    with pytest.raises(ConfigError, match="not a class derived from Module"):
        rnnlab.load(tmp_path / "bad.ckpt", trust=["subprocess"])


def test_what_is_no_run(sentiment: Finished, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder and no checkpoint"):
        rnnlab.load(tmp_path / "nowhere")
    with pytest.raises(RunError, match="is no run folder: it has no"):
        rnnlab.load(tmp_path)
    run = Path(shutil.copytree(sentiment.folder, tmp_path / "run"))
    (run / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(RunError, match=r"stopped in epoch \d+ after \d+ steps"):
        rnnlab.load(run)
    (run / "checkpoints" / "last.ckpt").unlink()
    (run / "train.log").write_text("the first line\nthe latest line\n")
    with pytest.raises(RunError, match=r"no checkpoint yet.*The last it wrote: the latest line"):
        rnnlab.load(run)


def test_damaged_and_later_checkpoints(sentiment: Finished, tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    whole = (sentiment.folder / "checkpoints" / "best.ckpt").read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="damaged"):
        rnnlab.load(file)
    later = checkpoint(sentiment)
    later["rnnlab"]["format"] = 99
    torch.save(later, file)
    with pytest.raises(RunError, match=r"format 99.*upgrade"):
        rnnlab.load(file)
    lacking = checkpoint(sentiment)
    del lacking["rnnlab"]["vocabulary"]
    torch.save(lacking, file)
    with pytest.raises(RunError, match="configuration or vocabulary is not as rnnlab writes it"):
        rnnlab.load(file)
    other = checkpoint(sentiment)
    other["state_dict"].pop("classifier.weight")
    torch.save(other, file)
    with pytest.raises(RunError, match="weights don't fit"):
        rnnlab.load(file)


def test_a_language_model_tells_what_may_come_next(language: Finished) -> None:
    model = rnnlab.load(language.folder)
    every = model.next_tokens("the rose is")
    assert sum(every.values()) == pytest.approx(1)
    assert list(every.values()) == sorted(every.values(), reverse=True)
    few = model.next_tokens("the rose is", count=2)
    assert list(few.items()) == list(every.items())[:2]
    sure = model.next_tokens("the rose is", sampling=Sampling(temperature=0.1))
    assert next(iter(sure)) == next(iter(every))
    assert next(iter(sure.values())) > next(iter(every.values()))

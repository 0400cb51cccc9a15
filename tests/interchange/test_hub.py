"""A folder for a hub of models opens as the run does; datasets of Hugging Face's are read as tables are."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnlab
from rnnlab.corpora.hugging_face import HuggingFace
from rnnlab.errors import ConfigError, DataError, RnnlabError
from tests.runs.conftest import Finished, composed_of
from tests.runs.conftest import command as command  # the fixture
from tests.runs.conftest import language as language  # the fixture
from tests.runs.conftest import sentiment as sentiment  # the fixture

Give = Callable[..., int]
TEXTS = ["A moving film.", "Dull and long.", ""]


def test_a_folder_answers_as_the_run(sentiment: Finished, tmp_path: Path, command: Give) -> None:
    folder = tmp_path / "hub"
    words = [f"run={sentiment.folder}", "format=hub", f"output={folder}"]
    assert command("export", *words) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    ours, theirs = (rnnlab.load(path).predict_proba(TEXTS) for path in (sentiment.folder, folder))
    np.testing.assert_array_equal(ours, theirs)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"{sentiment.metrics['test']['accuracy']:.4f}" in card
    assert "To be filled in" in card
    assert "rnnlab train task=sentiment data=csv model=gru seed=1" in card
    assert str(sentiment.data.parent) not in (folder / "config.json").read_text(encoding="utf-8")
    assert command("export", *words) == 2
    assert command("export", *words, "overwrite=true") == 0
    assert command("predict", f"run={folder}", "text=A moving film.") == 0


def test_a_language_model_leaves_so_too(language: Finished, tmp_path: Path, command: Give) -> None:
    assert command("export", f"run={language.folder}", "format=hub", f"output={tmp_path / 'lm'}") == 0
    ours, theirs = (rnnlab.load(path).perplexity("the rose") for path in (language.folder, tmp_path / "lm"))
    assert ours == theirs


def test_a_folder_of_something_else_is_not_overwritten(
    sentiment: Finished, tmp_path: Path, command: Give
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    words = [f"run={sentiment.folder}", "format=hub", f"output={tmp_path}", "overwrite=true"]
    assert command("export", *words) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"nothing"),
        ("config.json", b"{"),
        ("config.json", b'{"format": 1, "config": {"task": 3}}'),
        ("config.json", b'{"format": 99, "config": {}}'),
    ],
)
def test_damaged_folders_are_refused(
    sentiment: Finished, tmp_path: Path, command: Give, name: str, content: bytes
) -> None:
    folder = tmp_path / "hub"
    assert command("export", f"run={sentiment.folder}", "format=hub", f"output={folder}") == 0
    (folder / name).write_bytes(content)
    with pytest.raises(RnnlabError):
        rnnlab.load(folder)


def test_own_classes_need_trust_here_too(sentiment: Finished, tmp_path: Path, command: Give) -> None:
    folder = tmp_path / "hub"
    assert command("export", f"run={sentiment.folder}", "format=hub", f"output={folder}") == 0
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    told["config"]["model"]["_target_"] = "my_encoder.Encoder"
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(RnnlabError, match="my_encoder"):
        rnnlab.load(folder)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset on disk: a split with class labels, and a test split."""
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'rnnlab[hub]'")
    features = datasets.Features(
        {"review": datasets.Value("string"), "label": datasets.ClassLabel(names=["pos", "neg"])}
    )
    rows = {"review": [f"text {i}" for i in range(40)], "label": [i % 2 for i in range(40)]}
    test = {"review": ["another", "and another"], "label": [1, 0]}
    splits = {
        "train": datasets.Dataset.from_dict(rows, features=features),
        "test": datasets.Dataset.from_dict(test, features=features),
    }
    place = tmp_path_factory.mktemp("hf") / "saved"
    datasets.DatasetDict(splits).save_to_disk(place)
    return place


def test_a_dataset_is_a_corpus(saved: Path) -> None:
    corpus = HuggingFace(str(saved), test="test", text_column="review")
    assert corpus.labels == ("pos", "neg")
    assert [(d.text, d.label) for d in corpus.documents("test")] == [("another", 1), ("and another", 0)]
    assert [len(list(corpus.documents(split))) for split in ("train", "validation")] == [36, 4]
    other = HuggingFace(str(saved), text_column="review")
    assert (
        other.fingerprint
        != corpus.fingerprint
        == HuggingFace(str(saved), test="test", text_column="review").fingerprint
    )


def test_wrong_names_are_told(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'text'.*review"):
        _ = HuggingFace(str(saved)).labels
    with pytest.raises(ConfigError, match="no such split"):
        _ = HuggingFace(str(saved), validation="valid", text_column="review").labels
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="can't be read"):
        _ = HuggingFace(str(tmp_path / "empty")).labels


def test_lists_of_labels_are_several(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'rnnlab[hub]'")
    rows: dict[str, Any] = {
        "text": [f"t {i}" for i in range(20)],
        "label": [["a"], ["a", "b"], []] * 6 + [["b"]] * 2,
    }
    datasets.Dataset.from_dict(rows).save_to_disk(tmp_path / "saved")
    corpus = HuggingFace(str(tmp_path / "saved"), label_separator="|")
    assert corpus.label_sets == ((), (0,), (0, 1), (1,))


def test_the_command_composes_it(saved: Path) -> None:
    found = composed_of(["data=hf", f"data.corpus.dataset={saved}", "data.corpus.text_column=review"])
    assert rnnlab.train(
        [
            "data=hf",
            f"data.corpus.dataset={saved}",
            "data.corpus.text_column=review",
            "debug=fast_dev_run",
            "logger=none",
            "trainer=cpu",
            "model.backend=torch",
            "baselines=false",
            "data.vocabulary.min_frequency=1",
        ],
        saved.parent / "run",
    )
    assert found["data"]["name"] == "hf"
    shutil.rmtree(saved.parent / "run")


def test_without_the_library_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"rnnlab\[hub\]"):
        _ = HuggingFace("imdb").labels

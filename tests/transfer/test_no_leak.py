"""Test reviews never reach the language model: a marker that only they hold is nowhere in it."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from rnnlab.corpora.imdb import Imdb
from rnnlab.tasks.sentiment.init_from import FromLanguageModel
from rnnlab.text.vocabulary import Vocabulary
from rnnlab.training.fit import assemble_data, fit
from rnnlab.training.init_from import read_source
from tests.transfer.conftest import LANGUAGE, composed

REVIEWS = 30
MARKERS = {"train/neg": "ochre", "train/pos": "amber", "train/unsup": "indigo"}
LEAK = {"test/neg": "leakedneg", "test/pos": "leakedpos"}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write an archive in the publisher's layout, each folder with a word of its own in every review."""
    (tmp_path / "data").mkdir()
    with tarfile.open(tmp_path / "data" / "aclImdb_v1.tar.gz", "w:gz") as tar:
        for name, word in {**MARKERS, **LEAK}.items():
            for number in range(REVIEWS):
                content = f"a review with {word} and nothing else , {word} throughout".encode()
                entry = tarfile.TarInfo(f"aclImdb/{name}/{number}_{2 if name.endswith('neg') else 9}.txt")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    monkeypatch.setattr(Imdb, "reviews_per_folder", REVIEWS)


def language(*overrides: str) -> dict[str, Any]:
    words = ["data=imdb", "data.corpus.validation=0.2", *LANGUAGE, *overrides]
    return composed(*words)


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("labelled", ["null", "6"])
def test_the_training_text_is_train_and_unsup_alone(labelled: str) -> None:
    data: Any = assemble_data(language(f"data.labelled={labelled}"))
    data.prepare()
    vocabulary = data.encoded.vocabulary
    assert not [word for word in LEAK.values() if word in vocabulary]
    read = vocabulary.decode(data.text("train").whole())
    assert read.count("indigo") == 2 * REVIEWS
    assert read.count("ochre") == read.count("amber") == 2 * REVIEWS * 8 // 10
    assert "<unk>" not in read
    assert read.count("<eos>") == REVIEWS * (2 * 8 + 10) // 10


@pytest.mark.usefixtures("archive")
def test_the_marker_is_nowhere_in_what_the_classifier_starts_from(tmp_path: Path) -> None:
    fit(language("trainer.max_epochs=1"), tmp_path / "language")
    source = read_source(tmp_path / "language", FromLanguageModel())
    vocabulary = Vocabulary.from_dict(source.metadata["vocabulary"])
    assert not [word for word in LEAK.values() if word in vocabulary]
    assert all(word in vocabulary for word in MARKERS.values())
    leaked = [word.encode() for word in LEAK.values()]
    for file in (tmp_path / "language").rglob("*"):
        assert not file.is_file() or not any(word in file.read_bytes() for word in leaked), file

"""What the publishers' own files must yield; each test runs where the data folder has its file."""

from collections import Counter
from pathlib import Path

import pytest

from rnnlab.corpora.imdb import ARCHIVE, Imdb
from rnnlab.corpora.penn_treebank import PennTreebank
from rnnlab.corpora.wikitext2 import WikiText2


def skip_without(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"there is no {path}")


def test_imdb(real_data: Path) -> None:
    skip_without(real_data / ARCHIVE)
    corpus = Imdb()
    counts = Counter((split, document.label) for split, document in corpus.all_documents(corpus.splits))
    assert counts == {
        ("train", 0): 11_250,
        ("train", 1): 11_250,
        ("validation", 0): 1_250,
        ("validation", 1): 1_250,
        ("test", 0): 12_500,
        ("test", 1): 12_500,
        ("unsup", None): 50_000,
    }


def test_penn_treebank(real_data: Path) -> None:
    skip_without(real_data / "penn_treebank")
    corpus = PennTreebank()
    tokens = {split: sum(len(d.text.split()) + 1 for d in corpus.documents(split)) for split in corpus.splits}
    assert tokens == {"train": 929_589, "validation": 73_760, "test": 82_430}


def test_wikitext2(real_data: Path) -> None:
    skip_without(real_data / "wikitext-2-v1.zip")
    corpus = WikiText2()
    tokens = {split: sum(len(d.text.split()) + 1 for d in corpus.documents(split)) for split in corpus.splits}
    assert tokens == {"train": 2_088_628, "validation": 217_646, "test": 245_569}

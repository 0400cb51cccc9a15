"""Tiny corpora in the publishers' layouts, of invented text, so that commands train as they stand."""

import random
from pathlib import Path

import pytest

from rnnlab.corpora.imdb import Imdb
from rnnlab.corpora.penn_treebank import PennTreebank
from rnnlab.corpora.published_lines import counted
from rnnlab.folders import data_folder
from tests.benchmarks import tiny_imdb
from tests.corpora.test_rotten_tomatoes import place, tiny_rows
from tests.multi_label.test_multi_label import write_tagged
from tests.training.conftest import write_reviews

WORDS = ["lamp", "river", "stone", "cloud", "paper", "road", "bird", "glass"]
SPLITS = ("train", "validation", "test")


def place_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put every corpus that the README names where its commands look: the data folder, and ``folder``."""
    tiny_imdb.write_archive(data_folder())
    monkeypatch.setattr(Imdb, "reviews_per_folder", tiny_imdb.REVIEWS)
    place(tiny_rows(), monkeypatch)
    place_penn_treebank(monkeypatch)
    for name in ("mine.csv", "reviews.csv"):
        write_reviews(folder / name, count=120)
    write_tagged(folder / "tagged.csv")
    (folder / "book.txt").write_text(sentences(200), encoding="utf-8")
    place_folders(folder / "reviews")


def sentences(count: int, seed: int = 0) -> str:
    """Return lines of words; the first says all of them."""
    draw = random.Random(seed)
    lines = [" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) for _ in range(count - 1)]
    return "\n".join([" ".join(WORDS), *lines, ""])


def place_penn_treebank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put three files there, and let their counts be the known ones."""
    folder = data_folder() / "penn_treebank"
    folder.mkdir(parents=True)
    known = {}
    for number, (split, name) in enumerate(zip(SPLITS, ("train", "valid", "test"), strict=True)):
        text = sentences(150, seed=number)
        (folder / f"ptb.{name}.txt").write_text(text, encoding="utf-8")
        known[split] = counted(text)
    monkeypatch.setattr(PennTreebank, "published", known)


def place_folders(folder: Path) -> None:
    """Write a text file a document, as the README's own corpus reads them."""
    draw = random.Random(1)
    for split in SPLITS:
        for label, mark in (("bad", "dull"), ("good", "bright")):
            place = folder / split / label
            place.mkdir(parents=True)
            for number in range(20):
                words = [mark, *draw.choices(WORDS, k=draw.randint(0, 9))]
                (place / f"{number}.txt").write_text(" ".join(words), encoding="utf-8")

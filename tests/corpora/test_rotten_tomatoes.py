import bz2
import csv
import hashlib
import io

import pytest

from rnnlab.corpora import rotten_tomatoes
from rnnlab.corpora.corpus import Document
from rnnlab.corpora.rotten_tomatoes import RottenTomatoes
from rnnlab.errors import ConfigError, DataError
from rnnlab.folders import data_folder

FILMS = 40
NAME = "rotten_tomatoes_corpus_full.csv.bz2"
HELD_OUT = ("validation", "test")


def tiny_rows() -> list[tuple[str, str, str]]:
    """40 invented films with 10 sentences each; films 0 and 1 are the same; every film has a plot."""
    rows = []
    for film in range(FILMS):
        told = 0 if film == 1 else film
        for number in range(10):
            rows.append((("fresh", "rotten")[number % 2], f" Film {told}, point {number}. ", f"film_{film}"))
        rows.append(("plot", f"In film {film} someone, at last, comes home.", f"film_{film}"))
    return [
        *rows,
        ("plot", "", "film_2"),
        ("plot", "Never reviewed.", "other"),
        ("plot", "Never reviewed.", "b"),
    ]


def place(rows: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a file of these rows into the data folder, and make its hash the expected one."""
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(("category", "text", "movie_name", "has_plot_and_reviews"))
    table.writerows((*row, "True") for row in rows)
    content = bz2.compress(written.getvalue().encode())
    data_folder().mkdir(exist_ok=True)
    (data_folder() / NAME).write_bytes(content)
    monkeypatch.setattr(rotten_tomatoes, "SHA256", hashlib.sha256(content).hexdigest())


@pytest.fixture(autouse=True)
def placed(monkeypatch: pytest.MonkeyPatch) -> None:
    place(tiny_rows(), monkeypatch)


def films_in(corpus: RottenTomatoes, split: str) -> set[str]:
    return {document.text.split(",")[0] for document in corpus.documents(split)}


@pytest.mark.parametrize("seed", range(5))
def test_no_film_is_in_two_splits(seed: int) -> None:
    corpus = RottenTomatoes(validation=0.2, test=0.1, seed=seed)
    films = {split: films_in(corpus, split) for split in ("train", *HELD_OUT)}
    assert sum(map(len, films.values())) == len(set.union(*films.values())) == FILMS - 1
    # A split takes films until its share is full; the film with two names fills two places.
    assert 7 <= len(films["validation"]) <= 8
    assert 3 <= len(films["test"]) <= 4


def test_sentences_occur_once_with_their_label_and_in_order() -> None:
    corpus = RottenTomatoes()
    documents = [document for split in ("train", *HELD_OUT) for document in corpus.documents(split)]
    assert len(documents) == len({document.text for document in documents}) == (FILMS - 1) * 10
    assert Document("Film 0, point 0.", 1) in documents
    assert Document("Film 7, point 1.", 0) in documents
    assert corpus.labels == ("rotten", "fresh")
    points = [document.text for document in corpus.documents("train")]
    assert points[:2] == [points[0].replace("point 1", "point 0"), points[0].replace("point 0", "point 1")]


@pytest.mark.parametrize("seed", range(5))
def test_plots_say_nothing_of_films_that_are_held_out(seed: int) -> None:
    corpus = RottenTomatoes(seed=seed)
    held_out = {name.lower() for split in HELD_OUT for name in films_in(corpus, split)}
    if "film 0" in held_out:
        held_out.add("film 1")
    plots = [document.text for document in corpus.documents("plots")]
    assert held_out
    assert {text.removeprefix("In ").split(" someone")[0] for text in plots} == (
        {f"film {number}" for number in range(FILMS)} - held_out | {"Never reviewed."}
    )
    assert len(plots) == len(set(plots))
    assert all(document.label is None for document in corpus.documents("plots"))
    assert corpus.unlabelled == ("plots",)


def test_two_names_of_one_film_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("fresh", f"{film} {number}", film) for film in "abcdefgh" for number in range(3)]
    shared = [
        ("fresh", "A mess!", "a"),
        ("fresh", "so true", "b"),
        ("fresh", "a MESS", "c"),
        ("fresh", "So true.", "c"),
    ]
    place(rows + shared, monkeypatch)
    for seed in range(10):
        corpus = RottenTomatoes(validation=0.2, test=0.2, seed=seed)
        splits = [
            {document.text[0] for document in corpus.documents(split)} & set("abc")
            for split in ("train", *HELD_OUT)
        ]
        assert sorted(map(len, splits)) == [0, 0, 3]


def test_the_seed_draws_the_films() -> None:
    first, again, other = (list(RottenTomatoes(seed=seed).documents("test")) for seed in (0, 0, 1))
    assert first == again != other


def test_the_fingerprint_needs_no_file() -> None:
    (data_folder() / NAME).unlink()
    fingerprint = RottenTomatoes().fingerprint
    assert RottenTomatoes().fingerprint == fingerprint
    assert len({fingerprint, RottenTomatoes(seed=1).fingerprint, RottenTomatoes(test=0.2).fingerprint}) == 3


def test_an_altered_copy_in_the_data_folder() -> None:
    (data_folder() / NAME).write_bytes(b"altered")
    with pytest.raises(DataError, match=rf"{NAME} was altered: its SHA-256 is not"):
        list(RottenTomatoes().documents("train"))


def test_shares_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"data\.corpus\.test is 0"):
        RottenTomatoes(test=0)


def test_a_split_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r"rotten_tomatoes has no split 'plot'. Did you mean plots\?"):
        list(RottenTomatoes().documents("plot"))

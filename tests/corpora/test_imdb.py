from collections import Counter
from pathlib import Path

import pytest

from rnnlab.corpora import imdb
from rnnlab.corpora.corpus import Document
from rnnlab.corpora.imdb import Imdb
from rnnlab.errors import ConfigError, DataError
from rnnlab.folders import cache_folder, data_folder

from .archive_makers import make_tar

COUNT = 20
FOLDERS = ("test/neg", "test/pos", "train/neg", "train/pos", "train/unsup")


def tiny_files() -> dict[str, bytes]:
    """The publisher's layout with 20 invented reviews in each folder, and files that are none."""
    files = {"aclImdb/README": b"about", "aclImdb/train/labeledBow.feat": b"9 0:1"}
    for folder in FOLDERS:
        stars = {"neg": 2, "pos": 9, "unsup": 0}[folder.split("/")[1]]
        for number in range(COUNT):
            text = f"{folder} review {number}: caf\u00e9<br />"
            files[f"aclImdb/{folder}/{number}_{stars}.txt"] = text.encode()
    return files


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Imdb, "reviews_per_folder", COUNT)


@pytest.fixture
def archive() -> Path:
    return make_tar(data_folder() / imdb.ARCHIVE, tiny_files())


@pytest.mark.usefixtures("archive")
def test_splits_and_labels() -> None:
    corpus = Imdb(validation=0.25)
    counts = Counter((split, document.label) for split, document in corpus.all_documents(corpus.splits))
    assert counts == {
        ("train", 0): 15,
        ("train", 1): 15,
        ("validation", 0): 5,
        ("validation", 1): 5,
        ("test", 0): 20,
        ("test", 1): 20,
        ("unsup", None): 20,
    }
    assert corpus.labels == ("negative", "positive")
    assert corpus.unlabelled == ("unsup",)
    assert corpus.held_out == {"validation": 0.25}


@pytest.mark.usefixtures("archive")
def test_order_is_by_number_with_the_classes_alternating() -> None:
    test = list(Imdb().documents("test"))
    assert test[:3] == [
        Document("test/neg review 0: café<br />", 0),
        Document("test/pos review 0: café<br />", 1),
        Document("test/neg review 1: café<br />", 0),
    ]
    assert test[-1] == Document("test/pos review 19: café<br />", 1)


@pytest.mark.usefixtures("archive")
def test_validation_comes_out_of_train_by_the_seed() -> None:
    def texts(corpus: Imdb, split: str) -> set[str]:
        return {document.text for document in corpus.documents(split)}

    first, again, other = Imdb(0.2, seed=1), Imdb(0.2, seed=1), Imdb(0.2, seed=2)
    assert texts(first, "validation") == texts(again, "validation") != texts(other, "validation")
    assert not texts(first, "validation") & texts(first, "train")
    assert texts(first, "validation") | texts(first, "train") == texts(other, "validation") | texts(
        other, "train"
    )
    assert all(text.startswith("train/") for text in texts(first, "validation"))


@pytest.mark.usefixtures("archive")
def test_one_pass_yields_what_single_splits_yield() -> None:
    corpus = Imdb()
    wanted = ("validation", "unsup", "train")
    singly = [(split, document) for split in wanted for document in corpus.documents(split)]
    assert list(corpus.all_documents(wanted)) == singly


def test_the_fingerprint_is_of_content_and_settings_not_of_packing(archive: Path) -> None:
    fingerprint = Imdb().fingerprint
    assert Imdb().fingerprint == fingerprint
    assert Imdb(validation=0.2).fingerprint != fingerprint
    assert Imdb(seed=1).fingerprint != fingerprint
    files = tiny_files()
    backwards = {f"./{name}": files[name] for name in sorted(files, reverse=True) if "README" not in name}
    make_tar(archive, backwards)
    assert Imdb().fingerprint == fingerprint
    documents = list(Imdb().documents("train"))
    files["aclImdb/train/pos/3_9.txt"] += b"!"
    make_tar(archive, files)
    assert Imdb().fingerprint != fingerprint
    assert list(Imdb().documents("train")) != documents


@pytest.mark.usefixtures("archive")
def test_a_known_archive_is_not_read_for_its_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = Imdb().fingerprint

    def read(*_: object, **__: object) -> None:
        raise AssertionError("the archive was read again")

    monkeypatch.setattr(imdb, "tar_members", read)
    assert Imdb().fingerprint == fingerprint


@pytest.mark.parametrize("folder", FOLDERS[:4])
def test_a_folder_that_lacks_a_review(folder: str) -> None:
    files = {name: text for name, text in tiny_files().items() if not name.startswith(f"aclImdb/{folder}/7_")}
    make_tar(data_folder() / imdb.ARCHIVE, files)
    with pytest.raises(DataError, match=f"19 reviews in aclImdb/{folder}, not 20: .*fetch it again"):
        _ = Imdb().fingerprint
    with pytest.raises(DataError, match=f"19 reviews in aclImdb/{folder}, not 20"):
        list(Imdb().documents(folder.split("/")[0]))


def test_an_archive_without_unlabelled_reviews_still_serves_the_others() -> None:
    files = {name: text for name, text in tiny_files().items() if "unsup" not in name}
    make_tar(data_folder() / imdb.ARCHIVE, files)
    assert len(list(Imdb().documents("test"))) == 40
    with pytest.raises(DataError, match="no reviews in aclImdb/train/unsup"):
        list(Imdb().documents("unsup"))


def test_a_truncated_archive(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"aclImdb_v1\.tar\.gz is cut short or damaged"):
        _ = Imdb().fingerprint


def test_a_review_that_is_not_utf8() -> None:
    make_tar(data_folder() / imdb.ARCHIVE, tiny_files() | {"aclImdb/test/neg/4_2.txt": b"caf\xe9"})
    with pytest.raises(DataError, match=r"aclImdb/test/neg/4_2\.txt is not UTF-8 at byte 3"):
        list(Imdb().documents("test"))


@pytest.mark.usefixtures("archive")
def test_a_split_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r"imdb has no split 'tests'. Did you mean test\?"):
        list(Imdb().documents("tests"))


def test_a_share_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"data\.corpus\.validation is 1\.5"):
        Imdb(validation=1.5)


@pytest.mark.usefixtures("archive")
def test_nothing_but_notes_is_written() -> None:
    list(Imdb().all_documents(Imdb.splits))
    _ = Imdb().fingerprint
    assert [path.name for path in cache_folder().iterdir()] == ["verified"]
    assert [path.name for path in data_folder().iterdir()] == [imdb.ARCHIVE]

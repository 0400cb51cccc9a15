import hashlib

import pytest

from rnnlab.corpora.corpus import Document
from rnnlab.corpora.penn_treebank import PennTreebank
from rnnlab.corpora.published_lines import Published, PublishedLines, counted
from rnnlab.corpora.wikitext2 import WikiText2
from rnnlab.errors import DataError
from rnnlab.folders import data_folder

from .archive_makers import make_zip

TRAIN = " \n = A heading = \n \n the <unk> sat , \n"
VALID = " the heading \n"
TEST = " a <unk> , \n\n"
COUNTS = {"train": Published(4, 12, 8), "validation": Published(1, 3, 3), "test": Published(2, 5, 4)}


def place_penn_treebank(train: str = TRAIN) -> None:
    folder = data_folder() / "penn_treebank"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("train", train), ("valid", VALID), ("test", TEST)):
        (folder / f"ptb.{name}.txt").write_text(text)


def place_wikitext2(train: str = TRAIN) -> None:
    texts = {"train": train, "valid": VALID, "test": TEST}
    members = {f"wikitext-2/wiki.{name}.tokens": text.encode() for name, text in texts.items()}
    make_zip(data_folder() / "wikitext-2-v1.zip", members)


PUBLISHED = {kind: kind.published for kind in (PennTreebank, WikiText2)}
PLACE = {PennTreebank: place_penn_treebank, WikiText2: place_wikitext2}
Corpora = type[PennTreebank] | type[WikiText2]
both = pytest.mark.parametrize("kind", list(PLACE))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in PLACE:
        monkeypatch.setattr(kind, "published", COUNTS)


@pytest.mark.parametrize("split", COUNTS)
def test_counts_are_the_literatures(split: str) -> None:
    text = {"train": TRAIN, "validation": VALID, "test": TEST}[split]
    assert counted(text) == COUNTS[split]
    assert counted(text.removesuffix("\n")) == (COUNTS[split] if split != "test" else Published(1, 4, 4))


def test_an_empty_text_counts_nothing() -> None:
    assert counted("") == Published(0, 0, 0)


@both
def test_every_line_is_a_document(kind: Corpora) -> None:
    PLACE[kind]()
    corpus: PublishedLines = kind()
    assert list(corpus.documents("train")) == [
        Document(""),
        Document("= A heading ="),
        Document(""),
        Document("the <unk> sat ,"),
    ]
    assert list(corpus.documents("test")) == [Document("a <unk> ,"), Document("")]
    assert corpus.labels == corpus.unlabelled == ()
    assert corpus.splits == ("train", "validation", "test")


@both
def test_another_order_counts_and_changes_the_fingerprint(kind: Corpora) -> None:
    PLACE[kind]()
    before = kind().fingerprint
    assert kind().fingerprint == before
    PLACE[kind](" \n the <unk> sat , \n \n = A heading = \n")
    assert kind().fingerprint != before


@both
@pytest.mark.parametrize("train", [TRAIN[:-4], TRAIN + "\n", TRAIN.replace("sat", "the"), ""])
def test_other_counts_are_refused(kind: Corpora, train: str) -> None:
    PLACE[kind](train)
    with pytest.raises(
        DataError, match=r"train.* holds .*; the published train split has 4 lines, 12 tokens .* 8 types"
    ):
        list(kind().documents("train"))
    with pytest.raises(DataError, match="compare with none"):
        _ = kind().fingerprint


@both
def test_a_known_checksum_needs_no_count(kind: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    def known(text: str) -> Published:
        return Published(0, 0, 0, hashlib.md5(text.encode()).hexdigest())

    PLACE[kind]()
    monkeypatch.setattr(
        kind, "published", {"train": known(TRAIN), "validation": known(VALID), "test": known(TEST)}
    )
    assert len(list(kind().documents("train"))) == 4


def test_bytes_that_are_not_utf8() -> None:
    place_penn_treebank()
    (data_folder() / "penn_treebank" / "ptb.valid.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"ptb\.valid\.txt is not UTF-8 at byte 3"):
        _ = PennTreebank().fingerprint


def test_a_zip_that_lacks_a_split_or_is_cut() -> None:
    archive = data_folder() / "wikitext-2-v1.zip"
    make_zip(archive, {"wikitext-2/wiki.train.tokens": TRAIN.encode()})
    with pytest.raises(DataError, match=r"holds no wikitext-2/wiki\.valid\.tokens"):
        _ = WikiText2().fingerprint
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match="cut short or damaged"):
        _ = WikiText2().fingerprint


@both
def test_a_split_that_is_not_there(kind: Corpora) -> None:
    with pytest.raises(DataError, match=r"has no split 'valid'. Did you mean validation\?"):
        list(kind().documents("valid"))


def test_nowhere_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with pytest.raises(DataError, match=r"Put penn_treebank/ptb\.train\.txt into .*data=rotten_tomatoes"):
        _ = PennTreebank().fingerprint
    with pytest.raises(DataError, match=r"Put wikitext-2-v1\.zip into .*data=rotten_tomatoes"):
        _ = WikiText2().fingerprint


def test_the_published_counts_are_the_literatures() -> None:
    assert {split: known.tokens for split, known in PUBLISHED[PennTreebank].items()} == {
        "train": 929_589,
        "validation": 73_760,
        "test": 82_430,
    }
    assert {split: known.tokens for split, known in PUBLISHED[WikiText2].items()} == {
        "train": 2_088_628,
        "validation": 217_646,
        "test": 245_569,
    }


@pytest.mark.network
@both
def test_the_publishers_still_have_them(kind: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "published", PUBLISHED[kind])
    assert sum(1 for _ in kind().documents("test")) == PUBLISHED[kind]["test"].lines

import os
from itertools import chain, pairwise
from pathlib import Path

import pytest

from rnnlab.corpora.corpus import Document
from rnnlab.corpora.plain_text import PlainText
from rnnlab.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve files of 50 numbered lines each."""
    for number in range(12):
        lines = [f"{number:02} {line}\n" for line in range(50)]
        (tmp_path / f"{number:02}.txt").write_text("".join(lines))
    return tmp_path


def test_lines_lose_only_their_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf one \r\n\ntwo\x0bthree\xe2\x80\xa8four\n\nlast")
    (tmp_path / "b.txt").write_text("b\n")
    text = PlainText(train=str(tmp_path / "b.txt"), test=str(tmp_path / "a.txt"))
    assert [document.text for document in text.documents("test")] == [
        " one ",
        "",
        "two\x0bthree\u2028four",
        "",
        "last",
    ]


def test_files_are_whole_documents(folder: Path) -> None:
    text = PlainText(
        train=str(folder / "0*.txt"),
        validation=str(folder / "10.txt"),
        test=str(folder / "11.txt"),
        documents="file",
    )
    train = list(text.documents("train"))
    assert [document.text[:2] for document in train] == [f"{number:02}" for number in range(10)]
    assert train[0] == Document((folder / "00.txt").read_text())
    assert text.labels == text.unlabelled == ()
    assert text.held_out == {}


def test_lines_are_held_out_in_runs(folder: Path) -> None:
    text = PlainText(train=str(folder / "*.txt"), validation_fraction=0.05)
    splits = {split: [document.text for document in text.documents(split)] for split in text.splits}
    assert {split: len(lines) for split, lines in splits.items()} == {
        "train": 510,
        "validation": 30,
        "test": 60,
    }
    whole = [line for path in sorted(folder.glob("*.txt")) for line in path.read_text().splitlines()]
    assert sorted(whole) == sorted(splits["train"] + splits["validation"] + splits["test"])
    places = [whole.index(line) for line in splits["validation"]]
    assert places == sorted(places)
    assert sum(after - before == 1 for before, after in pairwise(places)) >= 25
    assert text.held_out == {"validation": 0.05, "test": 0.1}


def test_few_lines_are_held_out_singly(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"{number}\n" for number in range(10)))
    text = PlainText(train=str(tmp_path / "a.txt"))
    counts = {split: len(list(text.documents(split))) for split in text.splits}
    assert counts == {"train": 8, "validation": 1, "test": 1}


def test_whole_files_are_held_out(folder: Path) -> None:
    def files(seed: int) -> list[list[str]]:
        text = PlainText(train=str(folder / "*.txt"), documents="file", validation_fraction=0.2, seed=seed)
        return [[document.text[:2] for document in text.documents(split)] for split in text.splits]

    assert [len(split) for split in files(0)] == [9, 2, 1]
    assert sorted(chain(*files(0))) == [f"{number:02}" for number in range(12)]
    assert files(0) == files(0) != files(1)


def test_the_fingerprint_follows_content_and_settings(folder: Path) -> None:
    def fingerprint(pattern: str = "*.txt", documents: str = "line", seed: int = 0) -> str:
        return PlainText(train=str(folder / pattern), documents=documents, seed=seed).fingerprint

    before = fingerprint()
    assert fingerprint() == before
    assert len({before, fingerprint("0*.txt"), fingerprint(documents="file"), fingerprint(seed=1)}) == 4
    (folder / "03.txt").write_text("changed\n")
    assert fingerprint() != before


@pytest.mark.parametrize("documents", ["line", "file"])
def test_bytes_that_are_not_utf8(tmp_path: Path, documents: str) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.txt").write_bytes(b"fine\ncaf\xe9\n")
    text = PlainText(train=str(tmp_path / "good.txt"), test=str(tmp_path / "bad.txt"), documents=documents)
    with pytest.raises(DataError, match=r"bad\.txt, line 2: byte 4 \(0xe9\) is not UTF-8"):
        list(text.documents("test"))


def test_a_file_without_permission(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("03.txt"))
    with pytest.raises(DataError, match=r"No permission to read .*03\.txt"):
        PlainText(train=str(folder / "*.txt"))


@pytest.mark.parametrize("documents", ["line", "file"])
def test_too_little_to_cut_from(tmp_path: Path, documents: str) -> None:
    (tmp_path / "a.txt").write_text("only")
    text = PlainText(train=str(tmp_path / "a.txt"), documents=documents)
    assert list(text.documents("train")) == [Document("only")]
    with pytest.raises(DataError, match=rf"too few {documents}s to cut test out .* data\.corpus\.test"):
        list(text.documents("test"))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"a\.txt: no lines, so the train split is empty"):
        list(PlainText(train=str(tmp_path / "a.txt")).documents("train"))


def test_bad_settings(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.corpus\.documents is 'lines'. Did you mean line\?"):
        PlainText(train=str(folder / "*.txt"), documents="lines")
    with pytest.raises(ConfigError, match=r"data\.corpus\.test_fraction is 0"):
        PlainText(train=str(folder / "*.txt"), test_fraction=0)
    with pytest.raises(DataError, match="named both for train and for validation"):
        PlainText(train=str(folder / "*.txt"), validation=str(folder / "01.txt"))
    with pytest.raises(DataError, match=r"There is no file .*\*\.text in "):
        PlainText(train=str(folder / "*.text"))

import os
from pathlib import Path

import pytest

from rnnlab.corpora.text_files import examined_once
from rnnlab.errors import DataError
from rnnlab.folders import cache_folder


class Examiner:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, path: Path) -> str:
        self.calls += 1
        return path.read_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("first")
    return path


def test_a_file_is_examined_once_until_it_changes(file: Path) -> None:
    examine = Examiner()
    assert [examined_once(file, examine, "1") for _ in range(3)] == ["first"] * 3
    assert examine.calls == 1
    file.write_text("other")  # of the same size
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert examined_once(file, examine, "1") == "other"


def test_another_version_examines_anew(file: Path) -> None:
    examine = Examiner()
    examined_once(file, examine, "1")
    examined_once(file, examine, "2")
    assert examine.calls == 2


def test_a_failed_examination_is_not_remembered(file: Path) -> None:
    def refuse(path: Path) -> str:
        raise DataError("bad")

    with pytest.raises(DataError):
        examined_once(file, refuse, "1")
    assert examined_once(file, Examiner(), "1") == "first"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"digest": 3}', b"\xff"])
def test_a_damaged_note_is_made_anew(file: Path, damage: bytes) -> None:
    examine = Examiner()
    examined_once(file, examine, "1")
    (note,) = (cache_folder() / "verified").iterdir()
    note.write_bytes(damage)
    assert examined_once(file, examine, "1") == "first"
    assert examine.calls == 2

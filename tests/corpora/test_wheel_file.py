import hashlib
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from rnnlab.corpora import wheel_file
from rnnlab.corpora.rotten_tomatoes import RottenTomatoes
from rnnlab.corpora.wheel_file import file_from_wheel
from rnnlab.errors import DataError
from rnnlab.folders import cache_folder, data_folder

from .archive_makers import make_zip

CONTENT = b"category,text\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PACKAGE = "tinypackage==1.0"
MEMBER = "tinypackage/data/table.csv"


def wheel_files(requires: str) -> dict[str, bytes]:
    """What a wheel holds that needs a Python, and a package that is nowhere."""
    metadata = f"""Metadata-Version: 2.1
Name: tinypackage
Version: 1.0
Requires-Python: {requires}
Requires-Dist: absent
"""
    return {
        MEMBER: CONTENT,
        "tinypackage-1.0.dist-info/METADATA": metadata.encode(),
        "tinypackage-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tinypackage-1.0.dist-info/RECORD": b"",
    }


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in a folder that is the only place where the installers look."""
    wheels = tmp_path / "wheels"
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(wheels))
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return make_zip(wheels / "tinypackage-1.0-py3-none-any.whl", wheel_files(requires=">=3.99"))


def fetch(sha256: str = SHA256, member: str = MEMBER) -> bytes:
    return file_from_wheel(PACKAGE, member, sha256, largest=1_000)


needs_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this Python has no pip")


@needs_pip
@pytest.mark.usefixtures("wheel")
def test_the_file_is_fetched_once_and_alone_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch() == CONTENT
    assert [path.name for path in cache_folder().iterdir()] == ["table.csv"]

    def ask_again(*_: object) -> None:
        raise AssertionError("the installer was asked again")

    monkeypatch.setattr(wheel_file, "_run", ask_again)
    assert fetch() == CONTENT


@needs_pip
def test_a_damaged_copy_in_the_cache_is_fetched_anew(wheel: Path) -> None:
    cache_folder().mkdir()
    (cache_folder() / "table.csv").write_text("damaged")
    assert fetch() == CONTENT
    assert (cache_folder() / "table.csv").read_bytes() == CONTENT


@needs_pip
@pytest.mark.usefixtures("wheel")
def test_another_content_than_the_known_one_is_refused() -> None:
    with pytest.raises(DataError, match="could not be fetched: what came has not the SHA-256 0000"):
        fetch(sha256="0" * 64)
    assert not cache_folder().exists()


@needs_pip
def test_no_index_says_what_to_do(wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(DataError) as raised:
        fetch()
    said = str(raised.value)
    assert "No matching distribution found for tinypackage==1.0" in said
    assert "`pip download --no-deps tinypackage==1.0`" in said
    assert f"put {MEMBER} out of it into {data_folder()}" in said


def test_a_copy_in_the_data_folder_counts() -> None:
    data_folder().mkdir()
    (data_folder() / "table.csv").write_bytes(CONTENT)
    assert fetch() == CONTENT
    assert not cache_folder().exists()
    with pytest.raises(DataError, match=r"table\.csv was altered: its SHA-256 is not 0000"):
        fetch(sha256="0" * 64)


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))


@pytest.mark.usefixtures("no_pip")
def test_neither_pip_nor_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(DataError, match="this Python has no pip, and there is no uv"):
        fetch()


@pytest.mark.usefixtures("no_pip")
@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv")
def test_uv_where_there_is_no_pip(wheel: Path) -> None:
    make_zip(wheel, wheel_files(requires=">=3.10"))
    assert fetch() == CONTENT


def run_instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let a line of Python stand in for the installer."""
    monkeypatch.setattr(wheel_file, "_command", lambda *_: [sys.executable, "-c", program])


def test_an_installer_that_fails_silently_or_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, "raise SystemExit(3)")
    with pytest.raises(DataError, match="the installer ended with status 3"):
        fetch()
    run_instead(monkeypatch, "")
    with pytest.raises(DataError, match=f"the installer left no {MEMBER}"):
        fetch()


def test_an_installer_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_file, "_PATIENCE", 0.05)
    run_instead(monkeypatch, "import time; time.sleep(30)")
    with pytest.raises(DataError, match=r"did not finish within 0\.05 seconds"):
        fetch()


@pytest.mark.network
def test_the_published_wheel_has_the_sentences() -> None:
    corpus = RottenTomatoes()
    documents = [document for _, document in corpus.all_documents(("train", "validation", "test"))]
    assert len(documents) == len({document.text for document in documents}) == 12_752
    test = [document.label for document in corpus.documents("test")]
    assert 0.09 < len(test) / 12_752 < 0.11
    assert 0.5 < sum(label == 1 for label in test) / len(test) < 0.6
    assert [path.name for path in cache_folder().iterdir()] == ["rotten_tomatoes_corpus_full.csv.bz2"]

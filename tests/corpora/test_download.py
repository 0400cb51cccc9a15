import errno
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

import pytest

from rnnlab.corpora.download import download, published_file
from rnnlab.errors import DataError, RnnlabError
from rnnlab.folders import cache_folder, data_folder

CONTENT = bytes(range(256)) * 2_000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Publisher(ThreadingHTTPServer):
    """Serves CONTENT; can break off, be without resume, or answer with an error."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.break_after: int | None = None
        self.resumes = True
        self.status: int | None = None
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/archive.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.server.status is not None:
            return self.send_error(self.server.status)
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.server.resumes else 0
        if start >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = None if self.server.break_after is None else start + self.server.break_after
        self.wfile.write(CONTENT[start:stop])
        return None

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def target() -> Path:
    return cache_folder() / "archive.tar.gz"


def fetch(publisher: Publisher, target: Path, largest: int = len(CONTENT)) -> None:
    download(publisher.url, target, md5=MD5, largest=largest)


def part_of(target: Path) -> Path:
    return target.with_name("archive.tar.gz.part")


def test_a_file_is_downloaded_once(publisher: Publisher, target: Path) -> None:
    fetch(publisher, target)
    fetch(publisher, target)
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()
    assert publisher.ranges == [None]


def test_a_broken_connection_is_taken_up_where_it_broke(publisher: Publisher, target: Path) -> None:
    publisher.break_after = 200_000
    fetch(publisher, target)
    assert target.read_bytes() == CONTENT
    assert publisher.ranges == [None, "bytes=200000-", "bytes=400000-"]


def test_an_earlier_part_is_gone_on_with(publisher: Publisher, target: Path) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT[:1000])
    fetch(publisher, target)
    assert target.read_bytes() == CONTENT
    assert publisher.ranges == ["bytes=1000-"]


def test_a_server_that_cannot_resume_starts_anew(publisher: Publisher, target: Path) -> None:
    publisher.resumes = False
    target.parent.mkdir()
    part_of(target).write_bytes(b"x" * 1000)
    fetch(publisher, target)
    assert target.read_bytes() == CONTENT


def test_a_part_that_is_whole_is_placed(publisher: Publisher, target: Path) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT)
    fetch(publisher, target)
    assert target.read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(publisher: Publisher, target: Path) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(b"of another version")
    with pytest.raises(DataError, match=f"has MD5 [0-9a-f]{{32}}, not {MD5}; .* Try again"):
        fetch(publisher, target)
    assert not target.exists()
    assert not part_of(target).exists()
    fetch(publisher, target)
    assert target.read_bytes() == CONTENT


def test_either_digest_is_checked(publisher: Publisher, target: Path) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(DataError, match=f"has SHA256 {sha256}, not {'0' * 64}"):
        download(publisher.url, target, sha256="0" * 64, largest=len(CONTENT))
    assert not target.exists()
    download(publisher.url, target, sha256=sha256, largest=len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_a_file_that_is_too_large_is_not_kept(publisher: Publisher, target: Path) -> None:
    with pytest.raises(DataError, match="larger than the 1,000 bytes"):
        fetch(publisher, target, largest=1_000)
    assert not target.exists()
    assert not part_of(target).exists()


def test_a_server_without_the_file(publisher: Publisher, target: Path) -> None:
    publisher.status = 404
    with pytest.raises(DataError, match="answers 404"):
        fetch(publisher, target)
    assert len(publisher.ranges) == 1


def test_a_connection_that_gets_nowhere_is_given_up_and_its_part_kept(
    publisher: Publisher, target: Path
) -> None:
    target.parent.mkdir()
    part_of(target).write_bytes(CONTENT[:1000])
    publisher.break_after = 0
    with pytest.raises(DataError, match="can't be reached"):
        fetch(publisher, target)
    assert part_of(target).read_bytes() == CONTENT[:1000]


def test_a_full_disk_leaves_nothing(
    publisher: Publisher, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = Path.open

    def open_on_a_full_disk(path: Path, mode: str = "r", **settings: Any) -> IO[Any]:
        file = real_open(path, mode, **settings)
        if path == part_of(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        return file

    monkeypatch.setattr(Path, "open", open_on_a_full_disk)
    with pytest.raises(RnnlabError, match=r"disk is full: could not write .*archive\.tar\.gz"):
        fetch(publisher, target)
    assert not target.exists()
    assert not part_of(target).exists()


def test_the_data_folder_comes_before_the_cache(target: Path) -> None:
    url = "http://127.0.0.1/never-asked"
    target.parent.mkdir()
    target.write_text("cached")
    assert published_file("archive.tar.gz", url, md5=MD5, largest=1) == target
    placed = data_folder() / "archive.tar.gz"
    placed.parent.mkdir()
    placed.write_text("placed")
    assert published_file("archive.tar.gz", url, md5=MD5, largest=1) == placed


def test_what_is_nowhere_is_downloaded_to_the_cache(publisher: Publisher) -> None:
    path = published_file("folder/archive.tar.gz", publisher.url, md5=MD5, largest=1 << 20)
    assert path == cache_folder() / "folder" / "archive.tar.gz"
    assert path.read_bytes() == CONTENT
    assert not data_folder().exists()


def test_no_network_says_what_to_do() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/archive.tar.gz"
        with pytest.raises(DataError) as raised:
            published_file("archive.tar.gz", url, md5=MD5, largest=1)
    said = str(raised.value)
    assert f"{url} can't be reached" in said
    assert f"Put archive.tar.gz into {data_folder()}" in said
    assert "data=rotten_tomatoes, which needs neither" in said

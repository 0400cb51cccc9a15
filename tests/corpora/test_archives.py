import gzip
import tarfile
import zipfile
from pathlib import Path

import pytest

from rnnlab.corpora.archives import tar_members, zip_member
from rnnlab.errors import DataError

from .archive_makers import make_tar, make_zip, special

FILES = {"a/1.txt": b"one", "a/2.txt": b"two" * 1000, "b/3.txt": b""}


def read(archive: Path, largest_member: int = 10_000, largest_total: int = 1 << 20) -> dict[str, bytes]:
    return dict(
        tar_members(archive, lambda _: True, largest_member=largest_member, largest_total=largest_total)
    )


def test_files_are_read_in_order_and_folders_passed_over(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x.tar.gz", FILES, special("c", tarfile.DIRTYPE))
    assert list(read(archive).items()) == list(FILES.items())


def test_only_wanted_files_are_read_and_the_bound_is_for_them(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x.tar.gz", {"./a/1.txt": b"one", "a/2.txt": b"x" * 500})
    wanted = tar_members(archive, lambda name: name == "a/1.txt", largest_member=10, largest_total=1 << 20)
    assert dict(wanted) == {"a/1.txt": b"one"}


@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/etc/out", "a\\..\\out", "C:/out", "\\out"]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"x\.tar\.gz is not read.* leads out of its folder"):
        read(make_tar(tmp_path / "x.tar.gz", {name: b"bad"}))
    with pytest.raises(DataError, match="leads out of its folder"):
        zip_member(make_zip(tmp_path / "x.zip", {"good": b"1", name: b"bad"}), "good", largest_member=10)
    assert not (tmp_path.parent / "out.txt").exists()


def test_names_with_dots_that_stay_inside_are_fine(tmp_path: Path) -> None:
    assert read(make_tar(tmp_path / "x.tar.gz", {"a/wait...txt": b"1"})) == {"a/wait...txt": b"1"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = make_tar(tmp_path / "x.tar.gz", FILES, special("a/4.txt", kind, "/etc/passwd"))
    with pytest.raises(DataError, match=r"a/4\.txt is a link or another special file"):
        read(archive)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_name_of_gigabytes_is_refused(tmp_path: Path, kind: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = []
    read = tarfile._Stream.read  # type: ignore[attr-defined]

    def watched(self: object, size: int) -> bytes:
        content: bytes = read(self, size)
        largest.append(len(content))
        return content

    monkeypatch.setattr(tarfile._Stream, "read", watched)  # type: ignore[attr-defined]
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = kind, 64 << 20
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.addfile(tarfile.TarInfo("a/1.txt"))
        tar.fileobj.write(name.tobuf() + b"x" * name.size)  # type: ignore[union-attr]
    with pytest.raises(DataError, match="a member's headers have more than"):
        read_all(tmp_path / "x.tar.gz")
    assert max(largest) < 4 << 20


def read_all(archive: Path) -> dict[str, bytes]:
    return read(archive, largest_total=1 << 30)


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="link is a link"):
        zip_member(tmp_path / "x.zip", "link", largest_member=100)


def test_sizes_are_bounded(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "x.tar.gz", FILES)
    with pytest.raises(DataError, match=r"a/2\.txt has 3,000 bytes, more than 2,999"):
        read(archive, largest_member=2_999)
    bomb = make_tar(tmp_path / "bomb.tar.gz", {"unwanted": bytes(1 << 20)})
    with pytest.raises(DataError, match="unpacks to more than 500,000 bytes"):
        read(bomb, largest_member=1 << 30, largest_total=500_000)
    with pytest.raises(DataError, match="a unpacks to more than 99 bytes"):
        zip_member(make_zip(tmp_path / "x.zip", {"a": bytes(100)}), "a", largest_member=99)


def test_a_truncated_tar_is_damaged_wherever_it_ends(tmp_path: Path) -> None:
    whole = make_tar(tmp_path / "whole.tar.gz", FILES).read_bytes()
    cut = tmp_path / "x.tar.gz"
    for length in {0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 9, len(whole) - 1}:
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"x\.tar\.gz is cut short or damaged .*fetch it again"):
            read(cut)


def test_a_flipped_byte_is_damage(tmp_path: Path) -> None:
    whole = bytearray(make_tar(tmp_path / "x.tar.gz", FILES).read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "x.tar.gz").write_bytes(whole)
    with pytest.raises(DataError, match="cut short or damaged"):
        read(tmp_path / "x.tar.gz")


def test_a_damaged_header_does_not_end_the_archive_silently(tmp_path: Path) -> None:
    many = {f"{number}.txt": bytes([65]) * 600 for number in range(100)}
    unpacked = bytearray(gzip.decompress(make_tar(tmp_path / "x.tar.gz", many).read_bytes()))
    unpacked[10 * 1536 + 148] ^= 0xFF  # the checksum in the eleventh header
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(bytes(unpacked)))
    with pytest.raises(DataError, match="a header is damaged"):
        read(tmp_path / "x.tar.gz")


def test_what_is_no_archive_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"<html>Not found</html>")
    with pytest.raises(DataError, match="cut short or damaged"):
        read(tmp_path / "x")
    with pytest.raises(DataError, match="cut short or damaged"):
        zip_member(tmp_path / "x", "a", largest_member=10)


def test_a_zip_member_is_read_and_checked(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "x.zip", {"a/b": b"content" * 50})
    assert zip_member(archive, "a/b", largest_member=350) == b"content" * 50
    with pytest.raises(DataError, match=r"x\.zip holds no a/c"):
        zip_member(archive, "a/c", largest_member=100)
    whole = bytearray(archive.read_bytes())
    whole[40] ^= 0xFF
    archive.write_bytes(whole)
    with pytest.raises(DataError, match="cut short or damaged"):
        zip_member(archive, "a/b", largest_member=350)

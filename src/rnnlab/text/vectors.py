"""Pretrained word vectors, through ``torchtext.vocab``, as the beginning of an embedding."""

import hashlib
import shutil
import ssl
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch

from rnnlab.atomic import written_beside
from rnnlab.corpora.download import download
from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.folders import at_hand, cache_folder, data_folder
from rnnlab.text import torchtext_compat
from rnnlab.text.vocabulary import SPECIALS, Vocabulary

_SPREAD = 0.1  # words without a vector are drawn uniformly from [-0.1, 0.1]
_LARGEST = 8 << 30  # bytes of a published file: FastText's English has 6.6 GB


class InitialEmbedding(NamedTuple):
    """The first values of an embedding, and how many of them are pretrained."""

    weight: torch.Tensor
    """Shape (vocabulary, dimension), float32, in the order of the vocabulary's ids."""
    covered: float
    """Share of the vocabulary's words, its two symbols apart, that have a pretrained vector."""


def initial_embedding(vocabulary: Vocabulary, source: str, dimension: int, *, seed: int) -> InitialEmbedding:
    """Return a row for each word of ``vocabulary``: its pretrained vector, else small random values.

    A word that has no vector as it is spelled takes that of its lower-case spelling.

    Args:
        vocabulary: the words.
        source: ``glove.6B.100d``, ``fasttext.en`` and the like (torchtext's names), or the path of a text
            file with a word and its numbers on each line.
        dimension: numbers of a vector, as the model's embedding has them.
        seed: fixes the random values.

    Raises:
        ConfigError: if ``source`` is neither such a name nor a file, or its vectors have another dimension.
        DataError: if the vectors can't be downloaded or read; says where to put them.
    """
    vectors = _vectors(source)
    if vectors.dim != dimension:
        raise ConfigError(
            f"The vectors of {source} have {vectors.dim} numbers, but the embedding has {dimension}. "
            f"Set the embedding's size to {vectors.dim}, or choose other vectors."
        )
    generator = torch.Generator().manual_seed(seed)
    weight = torch.empty(len(vocabulary), dimension).uniform_(-_SPREAD, _SPREAD, generator=generator)
    known: dict[str, int] = vectors.stoi
    rows = [known.get(token, known.get(token.lower(), -1)) for token in vocabulary.tokens]
    rows[: len(SPECIALS)] = [-1] * len(SPECIALS)
    ours = torch.tensor([row for row, theirs in enumerate(rows) if theirs >= 0], dtype=torch.long)
    theirs = torch.tensor([theirs for theirs in rows if theirs >= 0], dtype=torch.long)
    weight[ours] = vectors.vectors[theirs]
    return InitialEmbedding(weight, len(ours) / (len(vocabulary) - len(SPECIALS)))


def _vectors(source: str) -> Any:
    """Return torchtext's ``Vectors`` for a path or a name; read from the text once, then from the cache."""
    local = Path(source).expanduser()
    path = local if local.is_file() else _published(source)
    torchtext_compat.enable()
    from torchtext.vocab import Vectors

    kept = _room(path) / f"{path.name}.pt"
    try:
        with _https_stays_verified():
            if kept.is_file():
                return Vectors(str(path), cache=str(kept.parent))
            with written_beside(kept) as unfinished:  # torchtext writes to this very name
                return Vectors(str(path), cache=str(unfinished.parent))
    except (OSError, RuntimeError, ValueError, TypeError, EOFError, UnpicklingError) as error:
        raise DataError(
            f"{path} can't be read as word vectors: {error}. It needs a word and its numbers, the same "
            f"count, on each line, parted by single spaces. If it has, remove {kept.parent} and try again."
        ) from error


def _room(path: Path) -> Path:
    """Return a folder for this very content: torchtext goes by the file's name alone."""
    facts = path.stat()
    identity = f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}"
    return cache_folder() / "vectors" / hashlib.sha256(identity.encode()).hexdigest()[:16]


def _published(name: str) -> Path:
    """Return the text file of vectors that torchtext knows by name, downloaded if it is not there yet."""
    file, url = _file_and_url(name)
    archive = url.rpartition("/")[2]
    places = [data_folder() / "vectors", cache_folder() / "vectors"]
    if (found := at_hand(Path("vectors", file))) is not None:
        return found
    fetched = at_hand(Path("vectors", archive)) or places[1] / archive
    try:
        if not fetched.is_file():
            download(url, fetched, sha256=_checksum(url), largest=_LARGEST)
        if archive == file:
            return fetched
        with (
            written_beside(places[1] / file) as unfinished,
            zipfile.ZipFile(fetched) as archived,
            archived.open(file) as packed,
            unfinished.open("wb") as unpacked,
        ):
            shutil.copyfileobj(packed, unpacked)
    except (DataError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).strip("'").rstrip(".")
        raise DataError(
            f"The vectors {name} are neither in {places[0]} nor in {places[1]}, and {archive} is no help: "
            f"{reason}. Put {file}, or {archive}, into {places[0]}, or give the path of a file of vectors."
        ) from error
    return places[1] / file


def _file_and_url(name: str) -> tuple[str, str]:
    """Return the text file that holds the vectors called ``name``, and where it is published.

    Raises:
        ConfigError: if torchtext knows no such vectors.
    """
    torchtext_compat.enable()
    from torchtext.vocab import FastText, GloVe, pretrained_aliases

    known: dict[str, tuple[str, str]] = {}
    for alias, made in pretrained_aliases.items():
        if made.func is GloVe:
            version, size = made.keywords["name"], made.keywords["dim"]
            # Its publisher has https, which torchtext's own download does not use.
            url = GloVe.url[version].replace("http://", "https://")
            known[alias] = (f"glove.{version}.{size}d.txt", url)
        elif made.func is FastText:
            url = FastText.url_base.format(made.keywords["language"])
            known[alias] = known[alias.removesuffix(".300d")] = (url.rpartition("/")[2], url)
    known = {alias: found for alias, found in known.items() if _checksum(found[1])}
    if name not in known:
        raise ConfigError(
            f"{name!r} is neither a file nor the name of pretrained vectors. {nearest(name, known)}"
        )
    return known[name]


def _checksum(url: str) -> str:
    """Return the SHA-256 that torchtext states for a file; empty where it states none."""
    from torchtext.prototype.vectors import CHECKSUMS_FAST_TEXT, CHECKSUMS_GLOVE

    return str({**CHECKSUMS_FAST_TEXT, **CHECKSUMS_GLOVE}.get(url, ""))


@contextmanager
def _https_stays_verified() -> Iterator[None]:
    """Undo that torchtext's ``Vectors`` turn the checking of certificates off, for all of the process."""
    create_context = ssl._create_default_https_context
    try:
        yield
    finally:
        ssl._create_default_https_context = create_context

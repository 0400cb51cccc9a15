"""What Penn Treebank and WikiText-2 share: lines that are tokenized already, and known counts."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.errors import DataError


@dataclass(frozen=True, slots=True)
class Published:
    """What is known of a published split.

    Attributes:
        lines: how many lines it has, empty ones included.
        tokens: the literature's count: what white space separates, and one ``<eos>`` for each line.
        types: how many different tokens, ``<eos>`` included.
        md5: hex digest of the published file; empty where it is not known.
    """

    lines: int
    tokens: int
    types: int
    md5: str = ""


class PublishedLines(Corpus):
    """A benchmark of language modelling: each line is a document, also an empty one.

    Tokens are what white space separates.

    Files that are not byte for byte the published ones count if they have exactly the published numbers of
    lines, tokens and types in each split, so that perplexities compare with the literature's.
    """

    labels: tuple[str, ...] = ()
    splits = ("train", "validation", "test")
    format_version = 1
    published: ClassVar[Mapping[str, Published]]

    @property
    def fingerprint(self) -> str:
        """Digest of the three files' contents. The first time the contents are checked."""
        return fingerprint_of(name=self.name, version=self.format_version, content=self._examined())

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the lines of one split, without white space at their ends."""
        check_split(self, split)
        self._examined()
        for line in _lines(self._content(split).decode("utf-8")):
            yield Document(line.strip())

    @abstractmethod
    def _content(self, split: str) -> bytes:
        """Return the file of a split."""

    @abstractmethod
    def _examined(self) -> list[str]:
        """Return digests of contents that are known to be right, or raise a DataError."""

    def _checked(self, split: str, content: bytes, where: str) -> str:
        """Return a digest of a split's file, having checked that it is the published text.

        Raises:
            DataError: naming the file, what it holds and what it should hold.
        """
        known = self.published[split]
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != known.md5:
            try:
                found = counted(content.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise DataError(f"{where} is not UTF-8 at byte {error.start:,}: it was altered.") from error
            if _counts(found) != _counts(known):
                raise DataError(
                    f"{where} holds {_counts(found)}; the published {split} split has {_counts(known)}. It "
                    "was cut short or altered: its perplexities would compare with none. Remove it and fetch "
                    "it again, or read it with data=text."
                )
        return hashlib.sha256(content).hexdigest()


def counted(text: str) -> Published:
    """Count a text's lines, tokens and types."""
    lines = [line.split() for line in _lines(text)]
    types = {word for words in lines for word in words}
    return Published(len(lines), sum(map(len, lines)) + len(lines), len(types) + bool(lines))


def _counts(split: Published) -> str:
    return f"{split.lines:,} lines, {split.tokens:,} tokens (an <eos> a line) and {split.types:,} types"


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if not lines[-1] else lines

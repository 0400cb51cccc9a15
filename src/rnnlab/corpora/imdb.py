"""Large Movie Review Dataset v1.0 (Maas et al. 2011, ACL, "Learning Word Vectors for Sentiment Analysis")."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path

from rnnlab.corpora.archives import tar_members
from rnnlab.corpora.corpus import Corpus, Document, check_split, fingerprint_of
from rnnlab.corpora.download import published_file
from rnnlab.corpora.holdout import check_fractions, split_by_class
from rnnlab.corpora.text_files import examined_once
from rnnlab.errors import DataError

ARCHIVE = "aclImdb_v1.tar.gz"
URL = f"https://ai.stanford.edu/~amaas/data/sentiment/{ARCHIVE}"
MD5 = "7c2ac02c03563afcf9b574c7e56c153a"

_FILE = re.compile(r"aclImdb/(train/neg|train/pos|train/unsup|test/neg|test/pos)/(\d{1,9})_(\d{1,9})\.txt")
_FOLDERS_OF = {
    "train": ("train/neg", "train/pos"),
    "validation": ("train/neg", "train/pos"),
    "test": ("test/neg", "test/pos"),
    "unsup": ("train/unsup",),
}
_LABELLED = ("train/neg", "train/pos", "test/neg", "test/pos")
_LABEL_OF = {"train/neg": 0, "train/pos": 1, "test/neg": 0, "test/pos": 1, "train/unsup": None}

# Number of a review in its folder, its stars, the folder: sorting these gives a corpus its order.
_Key = tuple[int, int, str]


class Imdb(Corpus):
    """50,000 film reviews, half of them negative (at most 4 of 10 stars), half positive (at least 7).

    Splits: ``train`` and ``validation`` (the publisher's 25,000 training reviews, divided seeded and
    stratified), ``test`` (the publisher's 25,000, of other films), ``unsup`` (50,000 reviews without label,
    of films that are not in test). Texts are as published: upper case, ``<br />`` and all.

    Within a split reviews come in the order of their number, of two with the same number the negative one
    first, so the classes alternate.

    The archive is the one in the data folder, else the one in the cache folder, else it is downloaded. It
    is read in one pass and never unpacked to disk. A downloaded one must have the publisher's MD5; one that
    was put there counts on its contents: each of the four labelled folders holds 12,500 reviews.
    """

    name = "imdb"
    labels = ("negative", "positive")
    splits = ("train", "validation", "test", "unsup")
    unlabelled = ("unsup",)
    format_version = 1
    reviews_per_folder = 12_500

    def __init__(self, validation: float = 0.1, seed: int = 0) -> None:
        """Hold out the share ``validation`` of the training reviews, drawn by ``seed``.

        Raises:
            ConfigError: if ``validation`` is not above 0 and below 1.
        """
        check_fractions({"validation": validation})
        self.validation = validation
        self.seed = seed

    @property
    def held_out(self) -> Mapping[str, float]:
        """Validation's share of the publisher's training reviews."""
        return {"validation": self.validation}

    @property
    def fingerprint(self) -> str:
        """Digest of every review and of the settings; how the archive is packed does not matter.

        The first time this reads the whole archive (some seconds), afterwards it is remembered.
        """
        content = examined_once(_archive(), self._examine, f"imdb {self.format_version}")
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            content=content,
            validation=self.validation,
            seed=self.seed,
        )

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the reviews of one split. See :class:`Imdb` for their order."""
        for _, document in self.all_documents((split,)):
            yield document

    def all_documents(self, splits: Sequence[str]) -> Iterator[tuple[str, Document]]:
        """Yield the reviews of several splits out of one pass over the archive, held in memory meanwhile."""
        for split in splits:
            check_split(self, split)
        archive = _archive()
        folders = {folder for split in splits for folder in _FOLDERS_OF[split]}
        reviews = dict(_reviews(archive, folders))
        self._check_counts(archive, Counter(key[2] for key in reviews), folders)
        for split in splits:
            for key in self._order(split, reviews):
                yield split, Document(_decoded(reviews[key], key, archive), _LABEL_OF[key[2]])

    def _order(self, split: str, reviews: Collection[_Key]) -> list[_Key]:
        """Return the keys of a split's reviews in the order in which they are yielded."""
        keys = sorted(key for key in reviews if key[2] in _FOLDERS_OF[split])
        if split not in ("train", "validation"):
            return keys
        classes = [_LABEL_OF[key[2]] for key in keys]
        assigned = split_by_class(classes, {"validation": self.validation}, self.seed)
        return [key for key, its_split in zip(keys, assigned, strict=True) if its_split == split]

    def _examine(self, archive: Path) -> str:
        """Check the archive to its end and return a digest of its reviews, whatever their order in it."""
        digests = {key: hashlib.sha256(content).digest() for key, content in _reviews(archive, _LABEL_OF)}
        self._check_counts(archive, Counter(key[2] for key in digests), _LABELLED)
        whole = hashlib.sha256()
        for key in sorted(digests):
            whole.update(f"{key}".encode() + digests[key])
        return whole.hexdigest()

    def _check_counts(self, archive: Path, counts: Mapping[str, int], folders: Collection[str]) -> None:
        for folder in sorted(folders):
            count, due = counts.get(folder, 0), self.reviews_per_folder
            if folder in _LABELLED and count != due:
                raise DataError(
                    f"{archive} holds {count:,} reviews in aclImdb/{folder}, not {due:,}: it is cut short or "
                    f"altered. Remove it and fetch it again from {URL}"
                )
            if not count:
                raise DataError(
                    f"{archive} holds no reviews in aclImdb/{folder}. The published one does: {URL}"
                )


def _archive() -> Path:
    return published_file(ARCHIVE, URL, md5=MD5, largest=200 << 20)


def _reviews(archive: Path, folders: Container[str]) -> Iterator[tuple[_Key, bytes]]:
    """Yield key and content of every review in the folders, in the archive's order."""

    def is_review(name: str) -> bool:
        found = _FILE.fullmatch(name)
        return found is not None and found[1] in folders

    for name, content in tar_members(archive, is_review, largest_member=1 << 20, largest_total=2 << 30):
        found = _FILE.fullmatch(name)
        assert found is not None
        yield (int(found[2]), int(found[3]), found[1]), content


def _decoded(content: bytes, key: _Key, archive: Path) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        number, stars, folder = key
        raise DataError(
            f"{archive}: aclImdb/{folder}/{number}_{stars}.txt is not UTF-8 at byte {error.start}: the "
            f"archive was altered. Fetch it again from {URL}"
        ) from error

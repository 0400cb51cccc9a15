"""Cross-validation, ``folds=5 fold=1`` to ``fold=5``: documents in parts, each the test of one run."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from random import Random

from rnnlab.corpora.corpus import Corpus, Document, MadeFrom, check_split
from rnnlab.corpora.holdout import text_key
from rnnlab.errors import ConfigError, DataError


class Fold(MadeFrom):
    """Another corpus, its training documents and what was held out of them divided anew.

    They come in ``folds`` parts, alike in their shares of the classes, copies of a text together. Of the
    splits that the corpus held out of train, ``test`` is the part ``fold`` and ``validation`` the next one,
    or the part ``fold`` where it alone was held out; train is the rest. A split that the corpus came with
    stays what it is.

    Args:
        corpus: the whole.
        folds: how many parts.
        fold: which of them, from 1.
        seed: draws them.

    Raises:
        ConfigError: if a number is out of range, or the corpus is none of documents with a held-out split.
    """

    def __init__(self, corpus: Corpus, folds: int, fold: int, seed: int) -> None:
        super().__init__(corpus)
        check_folds(folds, fold)
        self.cut = tuple(
            split for split in ("test", "validation") if split in getattr(corpus, "held_out", ())
        )
        if not self.cut or not hasattr(corpus, "documents"):
            name = getattr(corpus, "name", type(corpus).__name__)
            raise ConfigError(
                f"folds={folds}: {name} holds no documents out of train that could be divided anew."
            )
        if folds <= len(self.cut):
            raise ConfigError(
                f"folds={folds}: with one part for {' and one for '.join(self.cut)} none is left: take "
                f"{len(self.cut) + 1} or more."
            )
        self.folds, self.fold, self.seed = folds, fold, seed

    @property
    def held_out(self) -> Mapping[str, float]:
        """The splits that are parts, and their share."""
        return dict.fromkeys(self.cut, 1 / self.folds)

    def made_by(self) -> dict[str, object]:
        """Return the division and the part."""
        return {"name": "fold", "folds": self.folds, "fold": self.fold, "seed": self.seed}

    def all_documents(self, splits: Sequence[str]) -> Iterator[tuple[str, Document]]:
        """Yield the documents of several splits; those that are divided are held in memory meanwhile.

        Raises:
            DataError: if there are too few to divide.
        """
        for split in splits:
            check_split(self, split)
        divided = {"train", *self.cut}
        whole = self._divided() if divided & set(splits) else {}
        for split in splits:
            for document in whole[split] if split in divided else self.corpus.documents(split):
                yield split, document

    def _divided(self) -> dict[str, list[Document]]:
        pool = [document for _, document in self.corpus.all_documents(("train", *self.cut))]
        texts = [text_key(document.text) for document in pool]
        different = len(set(texts))
        if different < self.folds:
            raise DataError(
                f"folds={self.folds}: {self.name} has {different} different texts to divide; lower folds."
            )
        names = {(self.fold - 1 + place) % self.folds: split for place, split in enumerate(self.cut)}
        found: dict[str, list[Document]] = {split: [] for split in ("train", *self.cut)}
        parts = parts_of([document.label for document in pool], texts, self.folds, self.seed)
        for document, part in zip(pool, parts, strict=True):
            found[names.get(part, "train")].append(document)
        return found


def check_folds(folds: object, fold: object) -> None:
    """Check the keys ``folds`` and ``fold``.

    Raises:
        ConfigError: if one is out of range, or missing beside the other.
    """
    if folds is None and fold is None:
        return
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ConfigError(f"folds={folds}: expected a number of parts from 2 on, such as folds=5.")
    if isinstance(fold, bool) or not isinstance(fold, int) or not 1 <= fold <= folds:
        raise ConfigError(
            f"folds={folds} fold={'null' if fold is None else fold}: a run is of one part, fold=1 to "
            f"fold={folds}. All of them are a sweep: -m folds={folds}."
        )


def parts_of(classes: Sequence[Hashable], texts: Sequence[Hashable], folds: int, seed: int) -> list[int]:
    """Return the part of each document, from 0.

    The documents of a class are dealt out in random order, each with its copies to the part that has the
    fewest of that class, and of those the fewest in all. Drawn by ``random.Random(seed).random()``, whose
    sequence Python promises to keep.

    Args:
        classes: of each document; copies go by the first of them.
        texts: of each document what is equal for copies.
        folds: how many parts.
        seed: of the draw.

    >>> parts = parts_of("aaaabbbb", "stuvwxyz", folds=2, seed=1)
    >>> sorted(zip("aaaabbbb", parts))
    [('a', 0), ('a', 0), ('a', 1), ('a', 1), ('b', 0), ('b', 0), ('b', 1), ('b', 1)]
    """
    random = Random(seed)
    draws = [random.random() for _ in classes]
    copies: dict[Hashable, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        copies[text].append(index)
    in_class: Counter[tuple[Hashable, int]] = Counter()
    in_all: Counter[int] = Counter()
    found = [0] * len(classes)
    for group in sorted(copies.values(), key=lambda group: draws[group[0]]):
        name = classes[group[0]]
        part = min(range(folds), key=lambda part: (in_class[name, part], in_all[part], part))
        in_class[name, part] += len(group)
        in_all[part] += len(group)
        for index in group:
            found[index] = part
    return found

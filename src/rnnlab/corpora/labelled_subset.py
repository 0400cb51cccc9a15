"""A corpus of which only some training documents keep their label: how much does a method need?"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from rnnlab.corpora.corpus import Corpus, Document, MadeFrom, check_split
from rnnlab.errors import ConfigError

UNLABELLED_TRAIN = "unlabelled_train"


class LabelledSubset(MadeFrom):
    """Another corpus with ``labelled`` of its training documents as ``train``, stratified by class.

    The others are the split ``unlabelled_train``: a language model still reads their text, and no classifier
    sees them. All other splits are the corpus's own. Of one seed the smaller subset is part of the larger.

    Args:
        corpus: the whole; it must have labels.
        labelled: documents of ``train``.
        seed: draws them.

    Raises:
        ConfigError: if ``labelled`` is not positive.
    """

    def __init__(self, corpus: Corpus, labelled: int, seed: int) -> None:
        if isinstance(labelled, bool) or not isinstance(labelled, int) or labelled < 1:
            raise ConfigError(f"data.labelled={labelled}: expected a number of training documents, or null.")
        super().__init__(corpus)
        self.labelled = labelled
        self.seed = seed

    @property
    def splits(self) -> tuple[str, ...]:
        """The corpus's splits and ``unlabelled_train``."""
        return (*self.corpus.splits, UNLABELLED_TRAIN)

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """What the corpus has of unlabelled text, after the training documents that lost their label."""
        return (UNLABELLED_TRAIN, *self.corpus.unlabelled)

    def made_by(self) -> dict[str, object]:
        """Return how many documents are drawn, and by which seed."""
        return {"name": "labelled_subset", "labelled": self.labelled, "seed": self.seed}

    def all_documents(self, splits: Sequence[str]) -> Iterator[tuple[str, Document]]:
        """Yield the documents of several splits out of one pass over the corpus, held in memory meanwhile.

        Raises:
            ConfigError: if the corpus has no labels, fewer training documents than asked for, or more
                classes.
        """
        for split in splits:
            check_split(self, split)
        asked = dict.fromkeys("train" if split == UNLABELLED_TRAIN else split for split in splits)
        found: dict[str, list[Document]] = {split: [] for split in asked}
        for split, document in self.corpus.all_documents(tuple(asked)):
            found[split].append(document)
        if "train" in found:
            kept = self._kept(found["train"])
            found[UNLABELLED_TRAIN] = [
                Document(document.text) for i, document in enumerate(found["train"]) if i not in kept
            ]
            found["train"] = [document for i, document in enumerate(found["train"]) if i in kept]
        for split in splits:
            for document in found[split]:
                yield split, document

    def _kept(self, documents: Sequence[Document]) -> set[int]:
        """Return the numbers of the training documents that keep their label."""
        classes = [document.label for document in documents if document.label is not None]
        if len(classes) < len(documents) or not classes:
            raise ConfigError(f"data.labelled={self.labelled}: the documents of {self.name} have no labels.")
        if self.labelled > len(documents):
            raise ConfigError(
                f"data.labelled={self.labelled}: {self.name} has {len(documents):,} training documents. "
                "null takes them all."
            )
        if self.labelled < len(set(classes)):
            raise ConfigError(
                f"data.labelled={self.labelled}: {self.name} has {len(set(classes))} classes, "
                "and each needs a document."
            )
        return set(stratified_order(classes, self.seed)[: self.labelled])


def stratified_order(classes: Sequence[int], seed: int) -> list[int]:
    """Return the items' numbers in an order of which every beginning is stratified.

    Each class's items, in random order, are spread evenly over the whole, and the first of each class comes
    before all others. Drawn by ``random.Random(seed).random()``, whose sequence Python promises to keep.

    >>> order = stratified_order([0, 0, 0, 0, 1, 1], seed=1)
    >>> sorted([0, 0, 0, 0, 1, 1][i] for i in order[:3])
    [0, 0, 1]
    """
    random = Random(seed)
    draws = [random.random() for _ in classes]
    members: dict[int, list[int]] = defaultdict(list)
    for number in sorted(range(len(classes)), key=draws.__getitem__):
        members[classes[number]].append(number)
    place = {
        number: (rank + 0.5) / len(numbers) if rank else 0.0
        for numbers in members.values()
        for rank, number in enumerate(numbers)
    }
    return sorted(place, key=lambda number: (place[number], draws[number]))

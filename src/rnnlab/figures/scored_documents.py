"""What a classifier said of every document of a split, and what was right."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnlab.atomic import written_beside
from rnnlab.files.array_file import Kind, read_packed
from rnnlab.files.bounded import damaged

_KINDS = {
    **{"documents": Kind("i", 1), "probabilities": Kind("f", 2), "labels": Kind("i", 1)},
    **{"lengths": Kind("i", 1), "classes": Kind("U", 1)},
}


@dataclass(frozen=True)
class ScoredDocuments:
    """Answers, in the order of the documents' numbers.

    Attributes:
        documents: the documents' numbers in their split ``(documents,)``.
        probabilities: of each class ``(documents, classes)``; NaN where the network's numbers overflowed.
        labels: the right class ``(documents,)``.
        lengths: tokens of each whole document ``(documents,)``.
        classes: their names in id order.
    """

    documents: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    @cached_property
    def known(self) -> "ScoredDocuments":
        """Only those whose probabilities are numbers."""
        kept = np.isfinite(self.probabilities).all(axis=1)
        return ScoredDocuments(
            documents=self.documents[kept],
            probabilities=self.probabilities[kept],
            labels=self.labels[kept],
            lengths=self.lengths[kept],
            classes=self.classes,
        )

    @property
    def unknown(self) -> int:
        """How many have probabilities that are no numbers."""
        return len(self.labels) - len(self.known.labels)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class ``(documents,)``."""
        found: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return found

    @property
    def confidences(self) -> npt.NDArray[np.float32]:
        """The probability of the most probable class ``(documents,)``."""
        found: npt.NDArray[np.float32] = self.probabilities.max(axis=1)
        return found

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is the right one ``(documents,)``."""
        found: npt.NDArray[np.bool_] = self.predicted == self.labels
        return found

    def save(self, path: Path) -> None:
        """Write them as ``.npz``, plain arrays, whole or not at all.

        Raises:
            RnnlabError: if the disk is full or the folder can't be written.
        """
        with written_beside(path) as unfinished:
            np.savez_compressed(
                unfinished,
                documents=self.documents,
                probabilities=self.probabilities,
                labels=self.labels,
                lengths=self.lengths,
                classes=np.array(self.classes),
            )

    @classmethod
    def load(cls, path: Path) -> "ScoredDocuments":
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: if there is none.
            DamagedFileError: if it is damaged.
        """
        found = read_packed(path, _KINDS)
        classes = tuple(map(str, found.pop("classes")))
        count = len(found["labels"])
        sizes = {len(found[name]) for name in ("documents", "lengths", "probabilities")}
        if sizes != {count} or found["probabilities"].shape[1] != len(classes) or not classes:
            raise damaged(path, "its arrays do not fit one another")
        if count and not 0 <= found["labels"].min() <= found["labels"].max() < len(classes):
            raise damaged(path, "it has labels of classes that it does not name")
        if count and found["lengths"].min() < 0:
            raise damaged(path, "it has documents that are shorter than nothing")
        return cls(**found, classes=classes)


def told_unknown(scored: Mapping[str, ScoredDocuments]) -> str:
    """Return a line on documents that a figure leaves out, empty where there are none."""
    lost = sum(one.unknown for one in scored.values())
    return f"left out, their probability is not a number: {lost:,}" if lost else ""

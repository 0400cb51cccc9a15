"""How well a language model predicted each word of its vocabulary in a split."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnnlab.atomic import written_beside
from rnnlab.files.array_file import Kind, read_packed
from rnnlab.files.bounded import damaged

_KINDS = {"frequencies": Kind("i", 1), "counts": Kind("i", 1), "nats": Kind("f", 1)}


@dataclass(frozen=True)
class ScoredTokens:
    """Sums over a split's tokens, a row for each id of the vocabulary.

    Attributes:
        frequencies: how often the word occurs in the training text ``(vocabulary,)``.
        counts: how often it was to be predicted ``(vocabulary,)``.
        nats: the sum of its negative log-probabilities ``(vocabulary,)``; NaN where one was not a number.
    """

    frequencies: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    nats: npt.NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write them as ``.npz``, plain arrays, whole or not at all.

        Raises:
            RnnlabError: if the disk is full or the folder can't be written.
        """
        with written_beside(path) as unfinished:
            np.savez_compressed(unfinished, frequencies=self.frequencies, counts=self.counts, nats=self.nats)

    @classmethod
    def load(cls, path: Path) -> "ScoredTokens":
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: if there is none.
            DamagedFileError: if it is damaged.
        """
        found = read_packed(path, _KINDS)
        if len({len(array) for array in found.values()}) != 1:
            raise damaged(path, "its arrays do not fit one another")
        if min(found["counts"].min(initial=0), found["frequencies"].min(initial=0)) < 0:
            raise damaged(path, "it has words that occur less than never")
        return cls(**found)

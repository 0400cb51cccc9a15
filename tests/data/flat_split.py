"""A split of invented documents, as flat arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class FlatSplit:
    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    @classmethod
    def random(cls, documents: int, longest: int, seed: int) -> "FlatSplit":
        random = np.random.default_rng(seed)
        lengths = random.integers(1, longest + 1, size=documents)
        return cls(
            tokens=random.integers(1, 1000, size=int(lengths.sum()), dtype=np.int32),
            offsets=np.concatenate(([0], np.cumsum(lengths))),
            labels=random.integers(0, 2, size=documents),
        )

    def document(self, number: int) -> list[int]:
        return list(map(int, self.tokens[self.offsets[number] : self.offsets[number + 1]]))

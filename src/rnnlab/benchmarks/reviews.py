"""The documents that every contestant gets: the same ones, in batches of similar length or of fixed width."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch.nn.functional as F

from rnnlab.data.batch import Batch
from rnnlab.data.bucketing import Documents, padding_share
from rnnlab.data.documents import Truncate, collate, truncated_lengths
from rnnlab.text.encoded import EncodedSplit


class Batches:
    """Batches of chosen documents, gathered anew each time, as a training does.

    Args:
        split: where the documents are.
        plan: the documents of each batch.
        max_length: tokens kept of a document.
        truncate: which tokens are kept of a longer one.
        width: pad every batch to this many steps; None pads to its longest document.
        sweeps: how many times one iteration goes over the plan.

    Attributes:
        tokens: real tokens in an iteration.
        positions: tokens and padding in an iteration.
    """

    def __init__(
        self,
        split: EncodedSplit,
        plan: Sequence[Documents],
        *,
        max_length: int,
        truncate: Truncate,
        width: int | None = None,
        sweeps: int = 1,
    ) -> None:
        self.split, self.plan, self.sweeps = split, list(plan), sweeps
        self.max_length, self.truncate, self.width = max_length, truncate, width
        lengths = truncated_lengths(split, max_length)
        self.tokens = sweeps * int(sum(lengths[documents].sum() for documents in self.plan))
        widest = [width or int(lengths[documents].max()) for documents in self.plan]
        self.positions = sweeps * sum(
            steps * len(documents) for steps, documents in zip(widest, self.plan, strict=True)
        )

    def __len__(self) -> int:
        """Return the number of batches in an iteration."""
        return self.sweeps * len(self.plan)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches."""
        for _ in range(self.sweeps):
            for documents in self.plan:
                batch = collate(self.split, documents, max_length=self.max_length, truncate=self.truncate)
                if self.width is not None:
                    missing = self.width - batch.inputs.shape[1]
                    batch = batch._replace(inputs=F.pad(batch.inputs, (0, missing)))
                yield batch


class ChosenReviews:
    """Some of a split's batches, with the length distribution of all of them.

    The epoch's batches, in order of their number of tokens, are cut into as many equal parts; the one of
    each part that is nearest to the part's mean is taken. So few batches have the mean length of all.

    Args:
        split: where the documents are.
        plan: the documents of each batch of an epoch.
        count: batches to choose, at most as many as there are.
        max_length: tokens kept of a document.
        truncate: which tokens are kept of a longer one.
        seed: of the order in which documents come where length plays no part.
    """

    def __init__(
        self,
        split: EncodedSplit,
        plan: Sequence[Documents],
        count: int,
        *,
        max_length: int,
        truncate: Truncate,
        seed: int,
    ) -> None:
        self.split, self.max_length, self.truncate, self.seed = split, max_length, truncate, seed
        self.lengths = truncated_lengths(split, max_length)
        tokens = np.array([self.lengths[documents].sum() for documents in plan])
        count = min(count, len(plan))
        borders = np.arange(1, count) * len(plan) // count  # np.array_split makes the first parts longer
        parts = np.split(np.argsort(tokens, kind="stable"), borders)
        chosen = [part[np.abs(tokens[part] - tokens[part].mean()).argmin()] for part in parts]
        self.plan = [plan[number] for number in sorted(chosen)]

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return sum(len(documents) for documents in self.plan)

    @property
    def tokens(self) -> int:
        """How many real tokens the documents hold."""
        return int(sum(self.lengths[documents].sum() for documents in self.plan))

    @property
    def padding(self) -> float:
        """Share of the bucketed batches' positions that hold no token."""
        return padding_share(self.plan, self.lengths)

    def bucketed(self, sweeps: int = 1) -> Batches:
        """Return the batches of documents of similar length."""
        return Batches(
            self.split, self.plan, max_length=self.max_length, truncate=self.truncate, sweeps=sweeps
        )

    def fixed(self, sweeps: int = 1) -> Batches:
        """Return the same documents in random order, every batch padded to ``max_length`` steps."""
        order = np.random.default_rng(self.seed).permutation(np.concatenate(self.plan))
        size = max(len(documents) for documents in self.plan)
        return Batches(
            self.split,
            [order[start : start + size] for start in range(0, len(order), size)],
            max_length=self.max_length,
            truncate=self.truncate,
            width=self.max_length,
            sweeps=sweeps,
        )

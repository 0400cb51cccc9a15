"""From hidden states to the next token: the full softmax and the adaptive one.

Both give exact log-probabilities over the whole vocabulary. Both can be tied to the embedding (Press and
Wolf 2017; Inan et al. 2017): the vector that a word is read by is the one it is predicted by.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rnnlab.errors import ConfigError, nearest


class Decoder(nn.Module, ABC):
    """Scores hidden states ``(positions, input_size)`` against every id of the vocabulary."""

    @abstractmethod
    def losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Return the negative log-probability of ``targets (positions,)``: ``(positions,)`` in nats."""

    @abstractmethod
    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """Return the log-probability of every id: ``(positions, vocabulary)``, each row summing to one."""

    @abstractmethod
    def losses_and_best(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses and the most probable id at each position, both ``(positions,)``."""


class FullDecoder(Decoder):
    """A linear layer and a softmax over the whole vocabulary.

    Args:
        input_size: components of a hidden state.
        vocabulary_size: ids to choose from.
        tied: the embedding's matrix ``(vocabulary_size, size)`` to score with, or ``None`` for one of its
            own. Where ``size`` is not ``input_size`` a linear map without bias stands between.
    """

    def __init__(self, input_size: int, vocabulary_size: int, tied: nn.Parameter | None = None) -> None:
        super().__init__()
        self.project = projection(input_size, tied)
        self.weight = own_or_tied(tied, vocabulary_size, input_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the scores before the softmax: ``(positions, vocabulary)``."""
        return F.linear(self.project(hidden), self.weight, self.bias)

    def losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Decoder`."""
        return F.cross_entropy(self.logits(hidden), targets, reduction="none")

    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """See :class:`Decoder`."""
        return F.log_softmax(self.logits(hidden), dim=-1)

    def losses_and_best(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Decoder`."""
        logits = self.logits(hidden)
        return F.cross_entropy(logits, targets, reduction="none"), logits.argmax(dim=-1)


class AdaptiveDecoder(Decoder):
    """The adaptive softmax: frequent words first, the rare ones in clusters (Grave et al. 2017).

    The head scores the first ``cutoffs[0]`` ids and one symbol a cluster; an id of cluster ``c`` has the
    probability of that symbol times its own within the cluster. Ids must be in order of falling frequency,
    as a :class:`~rnnlab.text.vocabulary.Vocabulary` has them. Unlike ``nn.AdaptiveLogSoftmaxWithLoss`` it
    has biases throughout and can be tied.

    Args:
        input_size: components of a hidden state.
        vocabulary_size: ids to choose from.
        cutoffs: where the clusters begin, rising, each above zero and below ``vocabulary_size``.
        shrink: cluster ``c`` is scored from ``input_size / shrink ** (c + 1)`` components; not where tied.
        tied: the embedding's matrix ``(vocabulary_size, size)`` to score words with, or ``None``. Each
            cluster then has a linear map of its own to ``size`` components.

    Raises:
        ConfigError: if the cutoffs don't fit the vocabulary.
    """

    def __init__(
        self,
        input_size: int,
        vocabulary_size: int,
        cutoffs: Sequence[int],
        *,
        shrink: float = 4.0,
        tied: nn.Parameter | None = None,
    ) -> None:
        super().__init__()
        edges = [0, *cutoffs, vocabulary_size]
        if len(edges) < 3 or any(low >= high for low, high in pairwise(edges)):
            raise ConfigError(
                f"task.cutoffs={list(cutoffs)}: expected rising numbers between 0 and the vocabulary's size, "
                f"{vocabulary_size}. A vocabulary this small may do better with task.head=full."
            )
        self.shortlist = edges[1]
        self.clusters = list(pairwise(edges[1:]))  # first id, one past the last
        self.project = projection(input_size, tied)
        self.weight = own_or_tied(tied, self.shortlist, input_size)
        size = self.weight.shape[1]
        self.cluster_weight = own_or_tied(None, len(self.clusters), size)
        self.bias = nn.Parameter(torch.zeros(self.shortlist + len(self.clusters)))
        sizes = [
            size if tied is not None else max(1, int(input_size / shrink ** (c + 1))) for c in self.numbers
        ]
        self.cluster_projects = nn.ModuleList(nn.Linear(input_size, size, bias=False) for size in sizes)
        self.cluster_biases = nn.ParameterList(torch.zeros(high - low) for low, high in self.clusters)
        self.cluster_weights = nn.ParameterList(
            own_or_tied(None, high - low, size)
            for (low, high), size in zip(self.clusters, sizes, strict=True)
            if tied is None
        )

    @property
    def numbers(self) -> range:
        """The clusters' numbers."""
        return range(len(self.clusters))

    def head_logits(self, hidden: Tensor) -> Tensor:
        """Return the scores of the shortlist and the clusters: ``(positions, shortlist + clusters)``."""
        weight = torch.cat([self.weight[: self.shortlist], self.cluster_weight])
        return F.linear(self.project(hidden), weight, self.bias)

    def cluster_logits(self, cluster: int, hidden: Tensor) -> Tensor:
        """Return the scores within a cluster: ``(positions, ids of the cluster)``."""
        low, high = self.clusters[cluster]
        weight = self.cluster_weights[cluster] if len(self.cluster_weights) else self.weight[low:high]
        return F.linear(self.cluster_projects[cluster](hidden), weight, self.cluster_biases[cluster])

    def losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Decoder`. Each cluster is scored only where the target lies in it."""
        return self._losses(self.head_logits(hidden), hidden, targets)

    def _losses(self, head_logits: Tensor, hidden: Tensor, targets: Tensor) -> Tensor:
        head_targets = targets
        places = []
        for cluster, (low, high) in enumerate(self.clusters):
            inside = (targets >= low) & (targets < high)
            places.append(inside.nonzero().squeeze(1))
            head_targets = torch.where(inside, self.shortlist + cluster, head_targets)
        losses = F.cross_entropy(head_logits, head_targets, reduction="none")
        for cluster, inside in enumerate(places):
            # Also where it is empty, so that every parameter has a gradient on every process.
            logits = self.cluster_logits(cluster, hidden[inside])
            within = F.cross_entropy(logits, targets[inside] - self.clusters[cluster][0], reduction="none")
            losses = losses.index_add(0, inside, within)
        return losses

    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """See :class:`Decoder`."""
        head = F.log_softmax(self.head_logits(hidden), dim=-1)
        parts = [head[:, : self.shortlist]]
        for cluster in self.numbers:
            within = F.log_softmax(self.cluster_logits(cluster, hidden), dim=-1)
            parts.append(within + head[:, self.shortlist + cluster, None])
        return torch.cat(parts, dim=-1)

    def losses_and_best(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Decoder`.

        Where the head's best is a word it is the best of all, as no word is more probable than its cluster;
        only the other positions need every cluster scored.
        """
        logits = self.head_logits(hidden)
        best = logits.argmax(dim=-1)
        open_places = (best >= self.shortlist).nonzero().squeeze(1)
        if len(open_places):
            best[open_places] = self.log_probabilities(hidden[open_places]).argmax(dim=-1)
        return self._losses(logits, hidden, targets), best


def projection(input_size: int, tied: nn.Parameter | None) -> nn.Module:
    """Return the map from hidden states to the tied matrix's components; nothing where they agree."""
    if tied is None or tied.shape[1] == input_size:
        return nn.Identity()
    return nn.Linear(input_size, tied.shape[1], bias=False)


def own_or_tied(tied: nn.Parameter | None, rows: int, size: int) -> nn.Parameter:
    """Return the tied matrix, or a new one ``(rows, size)``, uniform as ``nn.Linear`` has it."""
    if tied is not None:
        return tied
    bound = size**-0.5
    return nn.Parameter(torch.empty(rows, size).uniform_(-bound, bound))


def build_decoder(
    head: str,
    *,
    input_size: int,
    vocabulary_size: int,
    tied: nn.Parameter | None,
    cutoffs: Sequence[int] | None,
) -> Decoder:
    """Build the decoder named ``head``: ``full`` or ``adaptive``.

    ``cutoffs`` of the adaptive one default to the most frequent tenth and the tenth that follows it doubled:
    ``[vocabulary_size / 10, 3 * vocabulary_size / 10]``.

    Raises:
        ConfigError: if there is no such head, or the cutoffs don't fit.
    """
    if head == "full":
        return FullDecoder(input_size, vocabulary_size, tied)
    if head == "adaptive":
        default = (vocabulary_size // 10, 3 * vocabulary_size // 10)
        return AdaptiveDecoder(input_size, vocabulary_size, cutoffs or default, tied=tied)
    raise ConfigError(f"task.head={head}: there is no such head. {nearest(head, ['full', 'adaptive'])}")

"""What the data of every task shares: a corpus, encoded once, served as loaders."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import lightning
from torch.utils.data import DataLoader

from rnnlab.corpora.corpus import Corpus
from rnnlab.text.encoded import EncodedCorpus, Progress, encoded_corpus
from rnnlab.text.tokenizers import Tokenizer


class TaskData(lightning.LightningDataModule):
    """A corpus as the batches of a task.

    Args:
        corpus: where the text comes from.
        tokenizer: how it becomes tokens.
        vocabulary: ``max_size``, ``min_frequency`` and ``closed``, see
            :class:`rnnlab.text.vocabulary.Vocabulary`.
        seed: fixes the order of the batches.
        overfit: if given, train on this many batches only, the same in every epoch.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        tokenizer: Tokenizer,
        vocabulary: Mapping[str, Any],
        seed: int,
        overfit: int | None = None,
    ) -> None:
        super().__init__()
        self.corpus = corpus
        self.tokenizer = tokenizer
        self.vocabulary_settings = dict(vocabulary)
        self.seed = seed
        self.overfit = overfit
        self.encoded: EncodedCorpus

    @abstractmethod
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Return the corpus's splits that serve as ``train``, ``validation`` and ``test``.

        Raises:
            ConfigError: if the corpus lacks what the task needs.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what the model must know of the data, as arguments of its constructor."""

    @abstractmethod
    def train_loader(self) -> Any:
        """Return the loader of the training batches: ``set_epoch``, ``state_dict``, ``load_state_dict``."""

    @abstractmethod
    def baselines(self) -> dict[str, dict[str, float]]:
        """Return what simple methods reach on the same test split: ``{name: {metric: value}}``."""

    def encode(self, progress: Progress | None = None) -> EncodedCorpus:
        """Open the encoded corpus, encoding it first where the cache does not have it."""
        splits = self.splits()
        wanted = tuple(dict.fromkeys(name for names in splits.values() for name in names))
        self.encoded = encoded_corpus(
            self.corpus,
            self.tokenizer,
            splits=wanted,
            vocabulary_splits=splits["train"],
            progress=progress,
            **self.vocabulary_settings,
        )
        return self.encoded

    def describe_batches(self) -> str:
        """Return a line on the training batches."""
        return f"{len(self.train_loader())} training batches."

    def rank_and_size(self) -> tuple[int, int]:
        """Return this process's rank and the number of processes."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def train_dataloader(self) -> Any:
        """Return the training batches."""
        loader = self.train_loader()
        return loader if self.overfit is None else FirstBatches(loader, self.overfit)


class FirstBatches:
    """The first ``count`` batches of a loader's first epoch, again and again."""

    def __init__(self, loader: DataLoader[Any] | Iterable[Any], count: int) -> None:
        self.batches = list(islice(loader, count))

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

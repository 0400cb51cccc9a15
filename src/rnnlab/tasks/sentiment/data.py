"""A labelled corpus as length-bucketed batches of documents."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnlab.corpora.corpus import Corpus
from rnnlab.data.batch import Batch
from rnnlab.data.bucketing import BucketedBatches, spread_over
from rnnlab.data.documents import DocumentLoader, Truncate, check_truncation, collate, truncated_lengths
from rnnlab.data.text_data import TextData
from rnnlab.errors import ConfigError, DataError
from rnnlab.tasks.baselines import Arrays
from rnnlab.text.tokenizers import Tokenizer

LISTED = 20
"""Classes that are listed at the start of a run; of more the largest."""


class SentimentData(TextData):
    """Documents with their class.

    Args:
        corpus: where the documents come from; it must have labels.
        tokenizer: how they become tokens.
        vocabulary: ``max_size``, ``min_frequency`` and ``closed``.
        seed: fixes the order of the batches.
        overfit: if given, train on this many batches only, the same in every epoch.
        batch_size: documents of a batch; ``None`` where ``max_tokens`` rules.
        max_tokens: padded tokens of a batch; ``None`` where ``batch_size`` rules.
        max_length: tokens kept of a document; ``None`` keeps all.
        truncate: which part of a longer document is kept: ``head``, ``tail`` or ``head_tail``.

    Raises:
        ConfigError: if ``truncate`` is unknown or ``max_length`` below 1.
    """

    exclusive = True
    """Whether each document is of one class alone."""

    def __init__(
        self,
        *,
        corpus: Corpus,
        tokenizer: Tokenizer,
        vocabulary: Mapping[str, Any],
        seed: int,
        overfit: int | None = None,
        batch_size: int | None = 64,
        max_tokens: int | None = None,
        max_length: int | None = 500,
        truncate: Truncate = "head_tail",
    ) -> None:
        super().__init__(
            corpus=corpus, tokenizer=tokenizer, vocabulary=vocabulary, seed=seed, overfit=overfit
        )
        check_truncation(max_length, truncate)
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.max_length = max_length
        self.truncate = truncate

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Return the labelled splits.

        Raises:
            ConfigError: if the corpus has no labels.
        """
        if not self.corpus.labels:
            raise ConfigError(
                f"{self.corpus.name} has no labels; task=sentiment needs them. "
                "Choose a labelled corpus (data=imdb, data=rotten_tomatoes, data=csv) or task=language_model."
            )
        if bool(getattr(self.corpus, "label_sets", ())) is self.exclusive:
            raise ConfigError(
                f"{self.corpus.name} has documents of several classes; task=multi_label tells those."
                if self.exclusive
                else f"{self.corpus.name} has one class for each document; task=multi_label needs "
                "data.corpus.label_separator='|', the sign between the labels of a row, or task=sentiment."
            )
        return {"train": ("train",), "validation": ("validation",), "test": ("test",)}

    @classmethod
    def rehearsal(cls, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a large vocabulary, and classes for all weights that are given."""
        weights = config["task"].get("class_weights")
        classes = len(weights) if isinstance(weights, list) else 2
        return {"vocabulary_size": 10**7, "labels": tuple(map(str, range(classes)))}

    def model_arguments(self) -> dict[str, Any]:
        """Return the vocabulary's size and the class names."""
        if not len(self.encoded.splits["train"]):
            raise DataError(f"{self.corpus.name}: the training split is empty.")
        return {"vocabulary_size": len(self.encoded.vocabulary), "labels": self.encoded.labels}

    def labels(self) -> tuple[str, ...]:
        """Return the names of the classes in the order of their ids."""
        return self.encoded.labels

    def class_counts(self) -> Tensor:
        """Return how many training documents there are of each class: ``(classes,)`` int64."""
        labels = torch.from_numpy(np.array(self.encoded.splits["train"].labels, dtype=np.int64))
        return torch.bincount(labels[labels >= 0], minlength=len(self.encoded.labels))

    def loader(self, split: str) -> DocumentLoader:
        """Return the batches of a split, this process's share of them.

        Raises:
            DataError: if the split is empty.
        """
        documents = self.encoded.splits[split]
        if not len(documents):
            raise DataError(f"{self.corpus.name}: the {split} split is empty.")
        lengths = np.diff(documents.offsets)
        rank, processes = self.rank_and_size()
        batches = BucketedBatches(
            lengths if self.max_length is None else np.minimum(lengths, self.max_length),
            self.batch_size,
            self.max_tokens,
            shuffle=split == "train",
            seed=self.seed,
            rank=rank,
            processes=processes,
        )
        return DocumentLoader(
            documents,
            batches,
            max_length=self.max_length,
            truncate=self.truncate,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )

    def probe_batch(self, sequences: int) -> Batch:
        """Return validation documents of all lengths, from the longest to the shortest."""
        split = self.encoded.splits["validation"]
        by_length = np.argsort(-truncated_lengths(split, self.max_length), kind="stable")
        chosen = by_length[spread_over(len(by_length), sequences)]
        return collate(split, chosen, max_length=self.max_length, truncate=self.truncate)

    def describe(self) -> str:
        """Return what there is to say of every text, and the classes with their training documents."""
        counts = self.class_counts().tolist()
        pairs = sorted(zip(self.encoded.labels, counts, strict=True), key=lambda pair: -pair[1])
        shown = ", ".join(f"{name} {count:,}" for name, count in pairs[:LISTED])
        more = f" and {len(pairs) - LISTED:,} smaller ones" if len(pairs) > LISTED else ""
        return f"{super().describe()}\n{len(pairs)} classes, with their documents in train: {shown}{more}."

    def describe_batches(self) -> str:
        """Return the number of training batches, their sizes, and how much of them is padding."""
        batches = self.loader("train").batches
        most = f"{self.batch_size} documents" if self.batch_size else f"{self.max_tokens} tokens"
        share = 100 * batches.padding_share()
        return f"{len(batches)} training batches of at most {most}, {share:.1f} % of them padding."

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return the accuracy of the majority class and of a bag of bigrams on the test split."""
        from rnnlab.tasks.sentiment.baselines import sentiment_baselines

        return sentiment_baselines(self.corpus, self.encoded.tokenizer, self.encoded.key)

    def bigram_answers(self) -> Arrays:
        """Return what the bag of bigrams says of the documents of validation and test."""
        from rnnlab.tasks.sentiment.baselines import bigram_answers

        return bigram_answers(self.corpus, self.encoded.tokenizer, self.encoded.key)

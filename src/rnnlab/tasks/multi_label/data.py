"""A corpus whose documents are of several classes, or none, as batches; and its simple methods."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from rnnlab.corpora.corpus import Corpus
from rnnlab.tasks.baselines import Figures, had, kept
from rnnlab.tasks.multi_label.metrics import Truth, best_threshold, label_figures
from rnnlab.tasks.sentiment.baselines import INVERSE_REGULARISATION, documents_of, features_of, inputs_of
from rnnlab.tasks.sentiment.data import SentimentData
from rnnlab.text.encoded import EncodedCorpus, EncodedSplit, Progress
from rnnlab.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun

log = logging.getLogger(__name__)


class MultiLabelData(SentimentData):
    """Documents with the classes that they are of: a batch's targets are zeros and ones ``(batch, classes)``.

    It takes what :class:`rnnlab.tasks.sentiment.data.SentimentData` takes.
    """

    exclusive = False

    def prepare(self, progress: Progress | None = None) -> None:
        """Open the encoded corpus."""
        super().prepare(progress)
        self.encoded = spread(self.encoded)

    def prepare_split(
        self, split: str, run: "OpenedRun", labels: Sequence[str] = (), progress: Progress | None = None
    ) -> None:
        """Encode one split by the model's vocabulary, its classes numbered as the model's."""
        super().prepare_split(split, run, labels, progress)
        self.encoded = spread(self.encoded)

    def class_counts(self) -> Tensor:
        """Return how many training documents are of each class: ``(classes,)`` int64."""
        return torch.from_numpy(self.encoded.splits["train"].labels.sum(axis=0, dtype=np.int64))

    def describe(self) -> str:
        """Return what there is to say of documents with a class, and how many classes a document is of."""
        each = self.encoded.splits["train"].labels.sum(axis=1)
        told = f"A document is of {each.mean():.2f} classes in the mean, {int((each == 0).sum()):,} of none."
        return f"{super().describe()}\n{told}"

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return F1 and exact match of the most frequent class and of a bag of bigrams for each class."""
        corpus, tokenizer = self.corpus, self.encoded.tokenizer
        inputs = inputs_of(corpus, tokenizer, self.encoded.key)
        return {
            **had("most frequent class", lambda: most_frequent(corpus)),
            **had("bag of bigrams", lambda: kept("labels", inputs, lambda: bigrams(corpus, tokenizer))),
        }


def spread(encoded: EncodedCorpus) -> EncodedCorpus:
    """Return the corpus with labels ``(documents, classes)`` of zeros and ones."""
    table = truth_table(encoded.label_sets, len(encoded.labels))

    def wide(split: EncodedSplit) -> EncodedSplit:
        return replace(split, labels=table[split.labels], source=None)  # type: ignore[arg-type]

    return replace(encoded, splits={name: wide(split) for name, split in encoded.splits.items()})


def truth_table(sets: Sequence[Sequence[int]], classes: int) -> Truth:
    """Return which classes are in each set ``(sets, classes)``."""
    table = np.zeros((len(sets), classes), dtype=np.bool_)
    for row, numbers in zip(table, sets, strict=True):
        row[list(numbers)] = True
    return table


def truths(corpus: Corpus) -> Mapping[str, tuple[list[str], Truth]]:
    """Return texts and classes ``(documents, classes)`` of each split.

    Raises:
        DataError: if a document has no label.
    """
    table = truth_table(corpus.label_sets, len(corpus.labels))
    splits = {split: documents_of(corpus, split) for split in ("train", "validation", "test")}
    return {split: (texts, table[numbers]) for split, (texts, numbers) in splits.items()}


def most_frequent(corpus: Corpus) -> Figures:
    """Score the answer that every document is of the class that most training documents are of."""
    found = truths(corpus)
    told = np.zeros(found["test"][1].shape)
    told[:, found["train"][1].sum(axis=0).argmax()] = 1.0
    return {"most frequent class": label_figures(told, found["test"][1], 0.5)}


def bigrams(corpus: Corpus, tokenizer: Tokenizer) -> Figures:
    """Score a logistic regression for each class on tf-idf weights, the threshold chosen on validation."""
    # Here, and not above: scikit-learn takes a second to import and most runs find the figures kept.
    from sklearn.linear_model import LogisticRegression

    found = truths(corpus)
    texts, truth = found["train"]
    log.info("Fitting a bag of bigrams for each of %d classes, once for this corpus.", truth.shape[1])
    features = features_of(tokenizer, texts)
    weights = {"train": features.fit_transform(texts)}
    weights |= {split: features.transform(found[split][0]) for split in ("validation", "test")}
    shares: dict[str, Any] = {split: np.zeros(found[split][1].shape) for split in ("validation", "test")}
    for number, column in enumerate(truth.T):
        if column.all() or not column.any():  # then there is nothing to learn
            for answers in shares.values():
                answers[:, number] = column[0]
            continue
        classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000).fit(weights["train"], column)
        for split, answers in shares.items():
            answers[:, number] = classifier.predict_proba(weights[split])[:, 1]
    threshold = best_threshold(shares["validation"], found["validation"][1])
    return {"bag of bigrams": label_figures(shares["test"], found["test"][1], threshold)}

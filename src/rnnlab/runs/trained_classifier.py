"""A trained classifier: texts in, classes and probabilities out, in the order of the texts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.data.bucketing import BucketedBatches
from rnnlab.data.collate import DocumentBatch, collate, truncated_lengths
from rnnlab.errors import ConfigError, nearest
from rnnlab.figures.explanation import Explanation
from rnnlab.models.sentiment import SentimentClassifier
from rnnlab.runs.opening import OpenedRun
from rnnlab.runs.trained_model import TrainedModel
from rnnlab.text.encoded import EncodedSplit
from rnnlab.text.readable_tokens import readable, separator
from rnnlab.text.vocabulary import EOS, EOS_ID, Ids

WINDOW = 4096  # texts that are sorted by length together
BATCH = 256  # texts
BATCH_TOKENS = 1 << 15  # padding included


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text.

    Attributes:
        label: the most probable class.
        probabilities: of each class, in the order of the model's labels, ``(classes,)``.
        tokens: how many tokens the text has; 0 for an empty one.
        read: how many the model read of them; an empty text is read as a lone ``<eos>``.
    """

    label: str
    probabilities: npt.NDArray[np.float32]
    tokens: int
    read: int


class TrainedClassifier(TrainedModel):
    """A sentiment model that answers; see :class:`TrainedModel` for what it is made of."""

    task: SentimentClassifier

    def __init__(self, run: OpenedRun, device: str = "auto") -> None:
        super().__init__(run, device)
        batches = run.config["batches"]
        self.kept: dict[str, Any] = {key: batches[key] for key in ("max_length", "truncate")}

    def predict(self, texts: Iterable[str]) -> list[str]:
        """Return the most probable class of each text."""
        return [prediction.label for prediction in self.predictions(texts)]

    def predict_proba(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Return the probability of each class, ``(texts, classes)``, in the order of ``labels``."""
        found = [prediction.probabilities for prediction in self.predictions(texts)]
        return np.stack(found) if found else np.zeros((0, len(self.labels)), np.float32)

    def predictions(self, texts: Iterable[str], window: int = WINDOW) -> Iterator[Prediction]:
        """Yield what the model says of each text, in their order.

        A window of texts is held at a time and batched by length; what a batch holds besides a text changes
        nothing but the last digits of its probabilities.

        Raises:
            TypeError: if ``texts`` is one string.
        """
        if isinstance(texts, str):
            raise TypeError("texts is one string; give a list of texts.")
        waiting = iter(texts)
        while chunk := list(islice(waiting, window)):
            encoded = [self.encode(text) for text in chunk]
            documents = in_a_row([ids if len(ids) else lone_end() for ids in encoded])
            read = truncated_lengths(documents, self.kept["max_length"])
            probabilities = self.probabilities(documents)
            for ids, count, row in zip(encoded, read.tolist(), probabilities, strict=True):
                yield Prediction(self.labels[int(row.argmax())], row, len(ids), count)

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Return how much each word pushed the decision, by integrated gradients.

        Args:
            text: what to explain.
            label: for or against which class; None takes the most probable.

        Raises:
            ConfigError: if there is no such class.
        """
        (prediction,) = self.predictions([text])
        label = prediction.label if label is None else label
        if label not in self.labels:
            raise ConfigError(f"label={label}: the model has no such class. {nearest(label, self.labels)}")
        chosen = self.labels.index(label)
        ids = self.encode(text)
        tokens = self.tokenizer.encode(text) or [EOS]
        batch = self.batch(in_a_row([ids if len(ids) else lone_end()]), [0])
        places = self.batch(in_a_row([np.arange(len(tokens), dtype=np.int32)]), [0]).tokens[0].tolist()
        found = self.task.word_shares(batch.tokens[0].to(self.device), chosen)
        probability = float(prediction.probabilities[chosen])
        return Explanation(
            title=f"{label}: probability {probability:.1%}",
            method=f"{found.method} A word's number is its share of the logit for {label}.",
            words=readable(self.tokenizer, [tokens[place] for place in places]),
            values=tuple(found.shares.tolist()),
            unit="logit",
            total=found.difference,
            separator=separator(self.tokenizer),
        )

    def encode(self, text: str) -> Ids:
        """Return the ids of a text's tokens, whole, ``(tokens,)``; none for an empty text."""
        tokens = self.tokenizer.encode(text)
        return np.fromiter(map(self.vocabulary.id_of, tokens), dtype=np.int32, count=len(tokens))

    def batch(self, documents: EncodedSplit, numbers: npt.ArrayLike) -> DocumentBatch:
        """Return some documents as one batch, truncated as in training."""
        return collate(documents, np.asarray(numbers, dtype=np.int64), **self.kept)

    def probabilities(self, documents: EncodedSplit) -> npt.NDArray[np.float32]:
        """Return the probability of each class ``(documents, classes)``, in batches of like length."""
        lengths = truncated_lengths(documents, self.kept["max_length"])
        found = np.empty((len(documents), len(self.labels)), dtype=np.float32)
        for numbers, _ in BucketedBatches(lengths, BATCH, BATCH_TOKENS, shuffle=False):
            batch = self.batch(documents, numbers)
            with torch.inference_mode():
                logits = cast(Tensor, self.task(batch.tokens.to(self.device), batch.lengths))
                found[numbers] = self.task.probabilities(logits).cpu().numpy()
        return found


def in_a_row(texts: Sequence[Ids]) -> EncodedSplit:
    """Return encoded texts as unlabelled documents, each of at least one id."""
    offsets = np.concatenate(([0], np.cumsum([len(ids) for ids in texts], dtype=np.int64)))
    return EncodedSplit(np.concatenate(texts), offsets, np.full(len(texts), -1, np.int64))


def lone_end() -> Ids:
    """Return what an empty text is read as."""
    return np.array([EOS_ID], dtype=np.int32)

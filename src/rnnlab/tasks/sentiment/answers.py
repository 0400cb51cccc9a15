"""A trained classifier: texts in, classes and probabilities out, in the order of the texts."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnlab.data.batch import Batch
from rnnlab.data.bucketing import BucketedBatches
from rnnlab.data.documents import check_truncation, collate, truncated_lengths
from rnnlab.errors import ConfigError, nearest
from rnnlab.figures.explanation import Explanation
from rnnlab.tasks.answers import WINDOW, Answered, OpenedRun, Prediction, TrainedModel
from rnnlab.tasks.sentiment.metrics import by_name, evaluation_metrics
from rnnlab.tasks.sentiment.task import SentimentClassifier
from rnnlab.text.encoded import EncodedSplit
from rnnlab.text.tokenizers import readable, separator
from rnnlab.text.vocabulary import EOS, EOS_ID, Ids
from rnnlab.visible import well_formed

if TYPE_CHECKING:
    from rnnlab.tasks.sentiment.baselines import Bag
    from rnnlab.tasks.sentiment.exports import ClassifierExports

BATCH = 256  # texts
BATCH_TOKENS = 1 << 15  # padding included


class TrainedClassifier(TrainedModel):
    """A sentiment model that answers; see :class:`TrainedModel` for what it is made of."""

    task: SentimentClassifier
    tells_classes = True

    def __init__(self, run: OpenedRun, device: str = "auto") -> None:
        super().__init__(run, device)
        batches = run.config["batches"]
        self.kept: dict[str, Any] = {key: batches[key] for key in ("max_length", "truncate")}
        check_truncation(**self.kept)
        self.max_length = self.kept["max_length"]
        self.bag: Bag | None = None

    def join_simple(self, folder: Path, weight: float | None = None) -> None:
        """Answer, from now on, mixed with the bag of bigrams that is kept with the run.

        Raises:
            RunError: if none is kept with it.
            ConfigError: if the weight is not from 0 to 1.
        """
        from rnnlab.tasks.sentiment.baselines import Bag  # few ask, and it takes scikit-learn

        if weight is not None and not 0 <= weight <= 1:
            raise ConfigError(f"weight={weight}: expected a number from 0 to 1.")
        self.bag = Bag(folder, self.tokenizer, len(self.labels))
        self.bag.weight = self.bag.weight if weight is None else weight

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
            if self.bag is not None:
                probabilities = self.bag.mixed([well_formed(text) for text in chunk], probabilities)
            for ids, count, row in zip(encoded, read.tolist(), probabilities, strict=True):
                yield self.prediction(row, len(ids), count)

    def prediction(self, shares: npt.NDArray[np.float32], tokens: int, read: int) -> Prediction:
        """Return the answer that probabilities ``(classes,)`` mean, to a text of which so much was read."""
        return Prediction(self.labels[int(shares.argmax())], shares, tokens, read)

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Return how much each word pushed the decision, by integrated gradients.

        Args:
            text: what to explain.
            label: for or against which class; None takes the most probable.

        Raises:
            ConfigError: if there is no such class.
        """
        (prediction,) = self.predictions([text])
        label = self.labels[int(prediction.probabilities.argmax())] if label is None else label
        if label not in self.labels:
            raise ConfigError(f"label={label}: the model has no such class. {nearest(label, self.labels)}")
        chosen = self.labels.index(label)
        ids = self.encode(text)
        tokens = self.tokenizer.encode(well_formed(text)) or [EOS]
        batch = self.batch(in_a_row([ids if len(ids) else lone_end()]), [0])
        places = self.batch(in_a_row([np.arange(len(tokens), dtype=np.int32)]), [0]).inputs[0].tolist()
        found = self.task.word_shares(batch.inputs[0].to(self.device), chosen)
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

    @property
    def exports(self) -> "ClassifierExports":
        """ONNX in float32 and int8, TorchScript, safetensors."""
        from rnnlab.tasks.sentiment.exports import ClassifierExports

        return ClassifierExports(self)

    def answered(self, data: Any) -> Answered:
        """Return what the model says of the documents of a prepared split."""
        (documents,) = data.encoded.splits.values()
        scores = partial(classifier_scores, targets=documents.labels, labels=self.labels)
        return Answered(self.labels, documents.labels, self.probabilities(documents), scores)

    def encode(self, text: str) -> Ids:
        """Return the ids of a text's tokens, whole, ``(tokens,)``; none for an empty text."""
        tokens = self.tokenizer.encode(well_formed(text))
        return np.fromiter(map(self.vocabulary.id_of, tokens), dtype=np.int32, count=len(tokens))

    def batch(self, documents: EncodedSplit, numbers: npt.ArrayLike) -> Batch:
        """Return some documents as one batch, truncated as in training."""
        return collate(documents, np.asarray(numbers, dtype=np.int64), **self.kept)

    def probabilities(self, documents: EncodedSplit) -> npt.NDArray[np.float32]:
        """Return the probability of each class ``(documents, classes)``, in batches of like length."""
        lengths = truncated_lengths(documents, self.kept["max_length"])
        found = np.empty((len(documents), len(self.labels)), dtype=np.float32)
        for numbers, _ in BucketedBatches(lengths, BATCH, BATCH_TOKENS, shuffle=False).batches(0):
            batch = self.batch(documents, numbers)
            with torch.inference_mode():
                logits = cast(Tensor, self.task(batch.inputs.to(self.device), batch.lengths))
                found[numbers] = self.task.probabilities(logits).cpu().numpy()
        return found


def in_a_row(texts: Sequence[Ids]) -> EncodedSplit:
    """Return encoded texts as unlabelled documents, each of at least one id."""
    offsets = np.concatenate(([0], np.cumsum([len(ids) for ids in texts], dtype=np.int64)))
    return EncodedSplit(np.concatenate(texts), offsets, np.full(len(texts), -1, np.int64))


def lone_end() -> Ids:
    """Return what an empty text is read as."""
    return np.array([EOS_ID], dtype=np.int32)


def classifier_scores(
    probabilities: npt.NDArray[np.floating[Any]], targets: npt.NDArray[np.int64], labels: Sequence[str]
) -> dict[str, float]:
    """Return the metrics that training reports.

    Args:
        probabilities: of each class, ``(documents, classes)``.
        targets: the documents' classes ``(documents,)``.
        labels: class names in id order.
    """
    metrics = evaluation_metrics(len(labels))
    given = torch.from_numpy(np.asarray(probabilities, dtype=np.float64))
    metrics.update(given[:, 1] if len(labels) == 2 else given, torch.from_numpy(targets))
    found = by_name(metrics.compute(), labels)
    chosen = np.clip(given.numpy()[np.arange(len(targets)), targets], np.finfo(np.float64).tiny, None)
    return {**{name: float(value) for name, value in found.items()}, "loss": float(-np.log(chosen).mean())}

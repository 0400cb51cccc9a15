"""Sentiment classification: embedding, recurrent encoder, pooling, linear classifier."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassF1Score,
)

from rnnlab.data.collate import DocumentBatch
from rnnlab.encoder.dropout import check_shares
from rnnlab.encoder.embedding import WordEmbedding
from rnnlab.encoder.encoder import build_encoder
from rnnlab.encoder.integrated_gradients import MOST, Attribution, integrated_gradients
from rnnlab.encoder.padding import turned_round
from rnnlab.encoder.pooling import build_pooling
from rnnlab.errors import ConfigError
from rnnlab.models.fine_tuning import FineTunedTask
from rnnlab.models.language_loss import build_language_loss
from rnnlab.models.long_documents import ReadDocuments, check_bptt, in_batch_order, read_documents
from rnnlab.models.mean_auroc import MeanAUROC
from rnnlab.models.tracking import RunningMean


class SentimentClassifier(FineTunedTask):
    """A document's class from its words.

    ``tokens (batch, time) -> embedding (batch, time, embedding_size) -> encoder (batch, time, output_size)
    -> pooling (batch, pooled_size) -> logits (batch, classes)``; padded positions influence nothing. Two
    classes are told apart by one logit (binary cross-entropy), more by a softmax.

    Args:
        model: the encoder's configuration.
        vocabulary_size: rows of the embedding.
        labels: class names in id order.
        embedding_size: components of a word's vector.
        pooling: how a document's hidden states become one vector, see :mod:`rnnlab.encoder.pooling`.
        dropout: share of the pooled vector's components dropped before the classifier.
        embedding_dropout: share of the embedded components dropped before the encoder.
        word_dropout: share of the vocabulary's words hidden from a batch (Gal and Ghahramani 2016).
        freeze_embedding: keep the (pretrained) vectors as they are.
        backward: read each document from its last word to its first.
        bptt: the last tokens of a document as it is read, through which gradients flow; None for all, see
            :mod:`rnnlab.models.long_documents`.
        unfreezing_epochs: see :class:`rnnlab.models.fine_tuning.FineTunedTask`.
        discriminative_factor: likewise.
        language_loss: ``weight``, ``head``, ``cutoffs`` and ``tie_weights`` of a language model's loss
            beside the classifier's; None, or a weight of 0, for none.
        optimizer: the optimizer's configuration; ``None`` for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or ``None``.

    Raises:
        ConfigError: if there are fewer than two classes, or options are out of range or exclude each other.
    """

    monitor: ClassVar[str] = "validation/accuracy"
    mode: ClassVar[Literal["min", "max"]] = "max"

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        vocabulary_size: int,
        labels: Sequence[str],
        embedding_size: int = 100,
        pooling: str = "mean_max",
        dropout: float = 0.5,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        freeze_embedding: bool = False,
        backward: bool = False,
        bptt: int | None = None,
        unfreezing_epochs: int = 0,
        discriminative_factor: float = 1.0,
        language_loss: Mapping[str, Any] | None = None,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, unfreezing_epochs, discriminative_factor)
        if len(labels) < 2:
            raise ConfigError(f"task=sentiment needs at least two classes; the corpus has {list(labels)}.")
        check_shares(dropout=dropout, embedding_dropout=embedding_dropout, word_dropout=word_dropout)
        self.labels = tuple(labels)
        self.embedding = WordEmbedding(
            vocabulary_size, embedding_size, dropout=embedding_dropout, word_dropout=word_dropout
        )
        self.embedding.weight.requires_grad = not freeze_embedding
        self.encoder = build_encoder(model, input_size=embedding_size)
        check_bptt(bptt, self.encoder.is_bidirectional)
        self.reads_backward, self.bptt = backward, bptt
        self.pooling = build_pooling(pooling, self.encoder)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.pooling.output_size, 1 if self.is_binary else len(labels))
        self.language_loss, self.language_weight = build_language_loss(
            language_loss or {}, self.encoder, self.embedding.weight
        )
        self.train_loss, self.train_accuracy = RunningMean(), RunningMean()
        for mean in (self.train_loss, self.train_accuracy):
            mean.persistent(True)  # a run that goes on in mid-epoch reports the whole epoch
        metrics = evaluation_metrics(len(labels))
        self.metrics = nn.ModuleDict({stage: metrics.clone() for stage in ("validation", "test")})
        self.losses = nn.ModuleDict({stage: RunningMean() for stage in ("validation", "test")})

    @property
    def is_binary(self) -> bool:
        """Whether one logit tells the two classes apart."""
        return len(self.labels) == 2

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits: ``(batch,)`` for two classes, ``(batch, classes)`` for more.

        Args:
            tokens: ids ``(batch, time)``, right-padded with any id.
            lengths: tokens of each document ``(batch,)``, each at least 1.
        """
        return self.logits_of(self.read(self.embedding(self.as_read(tokens, lengths)), lengths))

    def logits_of_vectors(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits, as :meth:`forward` does, of words' vectors ``(batch, time, embedding_size)``."""
        return self.logits_of(self.read(self.as_read(vectors, lengths), lengths))

    def as_read(self, sequences: Tensor, lengths: Tensor) -> Tensor:
        """Return ``(batch, time)`` or ``(batch, time, size)`` in the order in which documents are read."""
        return turned_round(sequences, lengths) if self.reads_backward else sequences

    def read(self, vectors: Tensor, lengths: Tensor) -> list[ReadDocuments]:
        """Return the encoder's outputs for vectors ``(batch, time, embedding_size)`` in the reading order."""
        return read_documents(self.encoder, vectors, lengths, self.bptt if self.training else None)

    def logits_of(self, parts: list[ReadDocuments]) -> Tensor:
        """Return the logits of the documents that were read, in the batch's order."""
        pooled = [self.pooling(part.outputs, part.lengths, part.state) for part in parts]
        logits: Tensor = self.classifier(self.dropout(in_batch_order(pooled, parts)))  # (batch, 1 or classes)
        return logits.squeeze(-1) if self.is_binary else logits

    def losses_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return each document's cross-entropy ``(batch,)`` in nats."""
        if self.is_binary:
            return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return F.cross_entropy(logits, labels, reduction="none")

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return each document's distribution over the classes ``(batch, classes)``."""
        if self.is_binary:
            positive = torch.sigmoid(logits)
            return torch.stack([1 - positive, positive], dim=-1)
        return torch.softmax(logits, dim=-1)

    def encoder_inputs(self, batch: DocumentBatch) -> tuple[Tensor, Tensor]:
        """Return what the encoder reads: vectors ``(batch, time, embedding_size)``, lengths ``(batch,)``."""
        return self.embedding(self.as_read(batch.tokens, batch.lengths)), batch.lengths

    def loss_of_outputs(self, outputs: Tensor, batch: DocumentBatch) -> Tensor:
        """Return the sum of the documents' losses from the encoder's outputs; nothing is counted."""
        logits = self.classifier(self.dropout(self.pooling(outputs, batch.lengths)))
        return self.losses_of(logits.squeeze(-1) if self.is_binary else logits, batch.labels).sum()

    def word_shares(self, tokens: Tensor, label: int, most_steps: int = MOST) -> Attribution:
        """Return how much each word pushed the logit for a class, by integrated gradients.

        Args:
            tokens: one document's ids ``(time,)``.
            label: the class; of two, the logit for the first is the negative of that for the second.
            most_steps: see :func:`rnnlab.encoder.integrated_gradients.integrated_gradients`.
        """

        def score(vectors: Tensor) -> Tensor:
            logits = self.logits_of_vectors(vectors, torch.full((len(vectors),), vectors.shape[1]))
            if self.is_binary:
                return logits if label == 1 else -logits
            return logits[:, label]

        with torch.no_grad():
            vectors = self.embedding(tokens.unsqueeze(0))[0]
        return integrated_gradients(score, vectors, most_steps)

    def training_step(self, batch: DocumentBatch, batch_index: int) -> Tensor:
        """Return the batch's mean loss over the documents that count, and the language model's beside it."""
        tokens = self.as_read(batch.tokens, batch.lengths)
        parts = self.read(self.embedding(tokens), batch.lengths)
        logits = self.logits_of(parts)
        documents = batch.counted.sum()
        # A filler document's loss is zero; dividing by all documents keeps the step's scale on every rank.
        total = (self.losses_of(logits, batch.labels) * batch.counted).sum()
        loss = total / documents.clamp(min=1)
        with torch.no_grad():
            predicted = logits > 0 if self.is_binary else logits.argmax(dim=-1)
            self.train_loss.update(total, documents)
            self.train_accuracy.update(((predicted == batch.labels) & batch.counted).sum(), documents)
        if self.language_loss is not None:
            loss = loss + self.language_weight * self.language_loss(parts, tokens, batch.counted)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training loss and accuracy (with dropout on)."""
        self.log("train/loss", self.train_loss.value_and_reset())
        self.log("train/accuracy", self.train_accuracy.value_and_reset())

    def validation_step(self, batch: DocumentBatch, batch_index: int) -> Tensor:
        """Count the batch into the validation metrics; return its probabilities ``(batch, classes)``."""
        return self.count(batch, "validation")

    def test_step(self, batch: DocumentBatch, batch_index: int) -> Tensor:
        """Count the batch into the test metrics; return its probabilities ``(batch, classes)``."""
        return self.count(batch, "test")

    def count(self, batch: DocumentBatch, stage: str) -> Tensor:
        """Add the documents that count to the metrics of ``stage``; return the probabilities of all."""
        kept, labels = batch.counted, batch.labels[batch.counted]
        logits = self(batch.tokens, batch.lengths).float()
        probabilities = self.probabilities(logits)
        scores = probabilities[:, 1] if self.is_binary else probabilities
        self.metrics[stage].update(scores[kept], labels)  # type: ignore[operator]
        self.losses[stage].update(self.losses_of(logits[kept], labels).sum(), kept.sum())  # type: ignore[operator]
        return probabilities

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted pass or the sanity check counted."""
        self.forget("validation")

    def on_test_epoch_start(self) -> None:
        """Forget what an interrupted pass counted."""
        self.forget("test")

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self.report("validation")

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self.report("test")

    def forget(self, stage: str) -> None:
        """Empty the metrics of ``stage``."""
        self.metrics[stage].reset()  # type: ignore[operator]
        self.losses[stage].reset()  # type: ignore[operator]

    def report(self, stage: str) -> None:
        """Log the metrics of ``stage`` over all its documents, by class too where there are over two."""
        values = dict(self.metrics[stage].compute())  # type: ignore[operator]
        for name in [name for name in values if name.endswith("_per_class")]:
            for label, value in zip(self.labels, values.pop(name), strict=True):
                values[f"{name.removesuffix('_per_class')}/{label}"] = value
        values["loss"] = self.losses[stage].value_and_reset()  # type: ignore[operator]
        self.log_dict({f"{stage}/{name}": value for name, value in values.items()})


def evaluation_metrics(classes: int) -> MetricCollection:
    """Return accuracy, F1 and AUROC: plain for two classes; macro-averaged, and F1 by class, for more."""
    if classes == 2:
        return MetricCollection({"accuracy": BinaryAccuracy(), "f1": BinaryF1Score(), "auroc": BinaryAUROC()})
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(classes, average="micro"),
            "f1": MulticlassF1Score(classes, average="macro"),
            "auroc": MeanAUROC(classes),
            "f1_per_class": MulticlassF1Score(classes, average=None),
            "accuracy_per_class": MulticlassAccuracy(classes, average=None),
        },
        compute_groups=False,
    )

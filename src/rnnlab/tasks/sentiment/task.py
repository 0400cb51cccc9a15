"""Sentiment classification: embedding, recurrent encoder, pooling, linear classifier."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection

from rnnlab.data.batch import Batch
from rnnlab.encoder.attribution import MOST, ORDERS, Attribution, integrated_gradients, shapley_values
from rnnlab.encoder.dropout import check_shares
from rnnlab.encoder.embedding import WordEmbedding
from rnnlab.encoder.encoder import build_encoder
from rnnlab.encoder.padding import turned_round
from rnnlab.encoder.pooling import build_pooling
from rnnlab.errors import ConfigError, nearest
from rnnlab.tasks.running_mean import RunningMean, StageScores
from rnnlab.tasks.sentiment import OBJECTIVE
from rnnlab.tasks.sentiment.fine_tuning import FineTunedTask, build_language_loss
from rnnlab.tasks.sentiment.long_documents import ReadDocuments, check_bptt, in_batch_order, read_documents
from rnnlab.tasks.sentiment.metrics import by_name, evaluation_metrics
from rnnlab.terminal import shown

if TYPE_CHECKING:
    from rnnlab.tasks.figures import Recorder, TaskFigures
    from rnnlab.tasks.sentiment.answers import TrainedClassifier
    from rnnlab.tasks.sentiment.init_from import FromLanguageModel

log = logging.getLogger(__name__)

BALANCED = "balanced"


class SentimentClassifier(StageScores, FineTunedTask):
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
            :mod:`rnnlab.tasks.sentiment.long_documents`.
        unfreezing_epochs: see :class:`rnnlab.tasks.sentiment.fine_tuning.FineTunedTask`.
        discriminative_factor: likewise.
        language_loss: ``weight``, ``head``, ``cutoffs`` and ``tie_weights`` of a language model's loss
            beside the classifier's; None, or a weight of 0, for none.
        class_weights: what a training document of each class counts for in the loss, in the classes' order;
            ``balanced`` for the inverse of each class's share, so that all classes count for the same; None
            for 1. Validation and test losses are never weighted.
        label_smoothing: the share of a training document's target that all classes have in equal parts
            (Szegedy et al. 2016). Validation and test losses are never smoothed.
        optimizer: the optimizer's configuration; ``None`` for a model that only answers.
        scheduler: the learning-rate schedule's configuration, or ``None``.

    Raises:
        ConfigError: if there are fewer than two classes, options are out of range or exclude each other, or
            the weights are not one above zero for each class.
    """

    monitor, mode = OBJECTIVE.monitor, OBJECTIVE.mode
    exclusive = True
    """Whether a document is of one class alone; where it may be of several, each has a logit of its own."""
    class_weights: Tensor | None
    prepared_keys = ("vectors", "vocabulary")

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
        class_weights: str | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        optimizer: Mapping[str, Any] | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, scheduler, unfreezing_epochs, discriminative_factor)
        if len(labels) < 2:
            raise ConfigError(f"task=sentiment needs at least two classes; the corpus has {list(labels)}.")
        check_shares("task", dropout=dropout, embedding_dropout=embedding_dropout, word_dropout=word_dropout)
        check_shares("task", label_smoothing=label_smoothing)
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
        self.label_smoothing = label_smoothing
        self.balances = class_weights == BALANCED
        given = None if class_weights is None or self.balances else weights_of(class_weights, self.labels)
        self.register_buffer("class_weights", given, persistent=False)
        self.train_loss, self.train_accuracy = RunningMean(), RunningMean()
        for mean in (self.train_loss, self.train_accuracy):
            mean.persistent(True)  # a run that goes on in mid-epoch reports the whole epoch
        metrics = evaluation_metrics(len(labels))
        self.metrics = nn.ModuleDict({stage: metrics.clone() for stage in ("validation", "test")})
        self.losses = nn.ModuleDict({stage: RunningMean() for stage in ("validation", "test")})

    @classmethod
    def trained_model(cls) -> "type[TrainedClassifier]":
        """Return a classifier of texts."""
        from rnnlab.tasks.sentiment.answers import TrainedClassifier

        return TrainedClassifier

    @classmethod
    def starting(cls) -> "FromLanguageModel":
        """Return the start from a language model's embedding and encoder."""
        from rnnlab.tasks.sentiment.init_from import FromLanguageModel

        return FromLanguageModel()

    def questions(self, run: Path) -> Sequence[Sequence[str]]:
        """Return the words of a command that explains an answer."""
        return (("predict", f"run={shown(run)}", "text=A moving film.", "explain=true"),)

    def prepare(self, config: Mapping[str, Any], data: Any) -> None:
        """Start the embedding from pretrained vectors, and report how much of the vocabulary they cover."""
        name = config["task"].get("vectors")
        if not name:
            return
        from rnnlab.text.vectors import initial_embedding  # most trainings take none

        weight = self.embedding.weight
        initial = initial_embedding(data.encoded.vocabulary, name, weight.shape[1], seed=config["seed"])
        weight.data.copy_(initial.weight)
        log.info("Pretrained vectors %s cover %.1f %% of the vocabulary.", name, 100 * initial.covered)

    def figures(self, data: Any, words: int) -> "TaskFigures | None":
        """Return what shows where the answers are right, and what words mean to the model."""
        from rnnlab.tasks.sentiment.figures import SentimentFigures  # matplotlib takes a while to import

        return SentimentFigures(self, data, words)

    def recorder(self, data: Any, split: str) -> "Recorder | None":
        """Return what keeps the probabilities of each document."""
        from rnnlab.tasks.sentiment.recorded_documents import RecordedDocuments

        return RecordedDocuments(data.encoded.splits[split].lengths, self.labels)

    def together(
        self, data: Any, recorders: "Mapping[str, Recorder]", weight: float | None = None
    ) -> dict[str, dict[str, float]]:
        """Return the figures of the network and the bag of bigrams as one: the mean of their log-odds."""
        from rnnlab.tasks.sentiment.baselines import mixed

        scored = {split: recorder.scored for split, recorder in recorders.items()}
        return {"with the bag of bigrams": mixed(scored, data.bigram_answers(), weight).as_row()}

    def keep_simple(self, data: Any, weight: float, folder: Path) -> Path | None:
        """Keep the bag of bigrams beside a run."""
        from rnnlab.tasks.sentiment.baselines import Bag, fitted_bag

        return Bag.keep(*fitted_bag(data.corpus, data.encoded.tokenizer), weight, folder)

    @property
    def is_binary(self) -> bool:
        """Whether one logit tells the two classes apart."""
        return len(self.labels) == 2

    def validation_metrics(self) -> list[str]:
        """Return the names of all that a validation logs."""
        logged = map(str, cast(MetricCollection, self.metrics["validation"]))
        names = by_name(dict.fromkeys(logged, self.labels), self.labels)
        return [f"validation/{name}" for name in (*names, "loss")]

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

    def training_losses_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return what training makes small for each document ``(batch,)``: what is reported, smoothed.

        What is to change training alone belongs here.
        """
        losses = self.losses_of(logits, labels)
        if not self.label_smoothing:
            return losses
        if self.is_binary:
            others = (losses + self.losses_of(logits, 1 - labels)) / 2
        else:
            others = -F.log_softmax(logits, dim=-1).mean(dim=-1)
        return (1 - self.label_smoothing) * losses + self.label_smoothing * others

    def losses_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return each document's cross-entropy ``(batch,)`` in nats, as validation and test report it."""
        if self.is_binary:
            return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return F.cross_entropy(logits, labels, reduction="none")

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return each document's distribution over the classes ``(batch, classes)``."""
        if self.is_binary:
            positive = torch.sigmoid(logits)
            return torch.stack([1 - positive, positive], dim=-1)
        return torch.softmax(logits, dim=-1)

    def encoder_inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what the encoder reads: vectors ``(batch, time, embedding_size)``, lengths ``(batch,)``."""
        return self.embedding(self.as_read(batch.inputs, batch.lengths)), batch.lengths

    def loss_of_outputs(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the sum of the training losses from the encoder's outputs; nothing is counted."""
        logits = self.classifier(self.dropout(self.pooling(outputs, batch.lengths)))
        return self.training_losses_of(logits.squeeze(-1) if self.is_binary else logits, batch.targets).sum()

    def word_shares(
        self, tokens: Tensor, label: int, most_steps: int = MOST, orders: int = ORDERS
    ) -> Attribution:
        """Return how much each word pushed the logit for a class, by integrated gradients.

        Where they do not add up, as the logit jumps more often than steps can follow, by Shapley values.

        Args:
            tokens: one document's ids ``(time,)``.
            label: the class; of two, the logit for the first is the negative of that for the second.
            most_steps: see :func:`rnnlab.encoder.attribution.integrated_gradients`.
            orders: see :func:`rnnlab.encoder.attribution.shapley_values`.
        """

        def score(vectors: Tensor) -> Tensor:
            logits = self.logits_of_vectors(vectors, torch.full((len(vectors),), vectors.shape[1]))
            if self.is_binary:
                return logits if label == 1 else -logits
            return logits[:, label]

        with torch.no_grad():
            vectors = self.embedding(tokens.unsqueeze(0))[0]
        found = integrated_gradients(score, vectors, most_steps)
        return found if found.adds_up else shapley_values(score, vectors, orders)

    def setup(self, stage: str) -> None:
        """Weigh the classes by their shares of the training documents, where that is asked for."""
        if stage == "fit" and self.balances:
            counts = self.trainer.datamodule.class_counts()  # type: ignore[attr-defined]
            self.class_weights = balanced_weights(counts).to(self.classifier.weight)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the batch's mean loss over the documents that count, and the language model's beside it."""
        tokens = self.as_read(batch.inputs, batch.lengths)
        parts = self.read(self.embedding(tokens), batch.lengths)
        logits = self.logits_of(parts)
        documents = batch.valid.sum()
        losses = self.training_losses_of(logits, batch.targets)
        if self.class_weights is not None and self.exclusive:
            losses = losses * self.class_weights[batch.targets]
        total = (losses * batch.valid).sum()
        loss = self.step_mean(total, documents)
        with torch.no_grad():
            self.train_loss.update(total, documents)
            self.train_accuracy.update((self.right(logits, batch.targets) * batch.valid).sum(), documents)
        if self.language_loss is not None:
            loss = loss + self.language_weight * self.step_mean(
                *self.language_loss(parts, tokens, batch.valid)
            )
        return loss

    def right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return whether each document is told right ``(batch,)``."""
        return labels == (logits > 0 if self.is_binary else logits.argmax(dim=-1))

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training loss and accuracy (with dropout on)."""
        self.log("train/loss", self.train_loss.value_and_reset())
        self.log("train/accuracy", self.train_accuracy.value_and_reset())

    def validation_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Count the batch into the validation metrics; return its probabilities ``(batch, classes)``."""
        return self.count(batch, "validation")

    def test_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Count the batch into the test metrics; return its probabilities ``(batch, classes)``."""
        return self.count(batch, "test")

    def count(self, batch: Batch, stage: str) -> Tensor:
        """Add the documents that count to the metrics of ``stage``; return the probabilities of all."""
        kept, labels = batch.valid, batch.targets[batch.valid]
        logits = self(batch.inputs, batch.lengths).float()
        probabilities = self.probabilities(logits)
        scores = probabilities[:, 1] if self.is_binary else probabilities
        self.metrics[stage].update(scores[kept], labels)  # type: ignore[operator]
        self.losses[stage].update(self.losses_of(logits[kept], labels).sum(), kept.sum())  # type: ignore[operator]
        return probabilities

    def forget(self, stage: str) -> None:
        """Empty the metrics of ``stage``."""
        self.metrics[stage].reset()  # type: ignore[operator]
        self.losses[stage].reset()  # type: ignore[operator]

    def report(self, stage: str) -> None:
        """Log the metrics of ``stage`` over all its documents, by class too where there are over two."""
        values = by_name(self.metrics[stage].compute(), self.labels)  # type: ignore[operator]
        values["loss"] = self.losses[stage].value_and_reset()  # type: ignore[operator]
        self.log_dict({f"{stage}/{name}": value for name, value in values.items()})


def balanced_weights(counts: Tensor) -> Tensor:
    """Return weights with which all classes count for the same, and a document for 1 in the mean.

    Args:
        counts: documents of each class ``(classes,)``.
    """
    return counts.sum() / (len(counts) * counts.clamp(min=1))


def weights_of(class_weights: str | Sequence[float], labels: Sequence[str]) -> Tensor:
    """Return the weights of the classes ``(classes,)``.

    Raises:
        ConfigError: if they are not one above zero for each class.
    """
    said = f"task.class_weights={class_weights}"
    if isinstance(class_weights, str):
        raise ConfigError(
            f"{said}: {nearest(class_weights, [BALANCED, 'null'])} Or give a number for each class."
        )
    if len(class_weights) != len(labels):
        raise ConfigError(
            f"{said}: expected a number for each of {len(labels)} classes: {', '.join(labels)}."
        )
    if not all(math.isfinite(weight) and weight > 0 for weight in class_weights):
        raise ConfigError(f"{said}: expected numbers above 0.")
    return torch.tensor(list(class_weights), dtype=torch.float32)

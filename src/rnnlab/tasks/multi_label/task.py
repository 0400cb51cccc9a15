"""Multi-label classification: the sentiment classifier's network with a decision for each class."""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from rnnlab.tasks.multi_label import OBJECTIVE
from rnnlab.tasks.multi_label.metrics import HALF, best_threshold, label_figures
from rnnlab.tasks.sentiment.task import SentimentClassifier

if TYPE_CHECKING:
    from rnnlab.tasks.multi_label.answers import TrainedMultiLabel
    from rnnlab.tasks.multi_label.figures import MultiLabelFigures


class Decisions(Metric):
    """Keeps the probabilities and the truth of a split, of all processes."""

    shares: list[Tensor]
    truth: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("shares", [], dist_reduce_fx="cat")
        self.add_state("truth", [], dist_reduce_fx="cat")

    def update(self, shares: Tensor, truth: Tensor) -> None:
        """Keep a batch's, both ``(documents, classes)``."""
        self.shares.append(shares)
        self.truth.append(truth.bool())

    def compute(self) -> tuple[Tensor, Tensor]:
        """Return all that was kept."""
        return dim_zero_cat(self.shares), dim_zero_cat(self.truth)


class MultiLabelClassifier(SentimentClassifier):
    """The classes that a document is of, several or none, from its words.

    It takes what :class:`rnnlab.tasks.sentiment.task.SentimentClassifier` takes, but each class has a logit
    of its own, ``(batch, classes)``, and the loss is the mean of their binary cross-entropies. A class is
    told where its probability is above :attr:`threshold`, which every validation of a training chooses for
    the highest F1 over all decisions, and which the checkpoint keeps. ``class_weights`` are of the documents
    that are of a class, against those that are not: ``balanced`` lets both count for the same.
    """

    monitor, mode = OBJECTIVE.monitor, OBJECTIVE.mode
    exclusive = False
    threshold: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register_buffer("threshold", torch.tensor(HALF, dtype=torch.float64))
        self.metrics = nn.ModuleDict({stage: Decisions() for stage in ("validation", "test")})

    @classmethod
    def trained_model(cls) -> "type[TrainedMultiLabel]":
        """Return a classifier of texts."""
        from rnnlab.tasks.multi_label.answers import TrainedMultiLabel

        return TrainedMultiLabel

    @property
    def is_binary(self) -> bool:
        """Never: two classes have two logits, as a document may be of both."""
        return False

    def setup(self, stage: str) -> None:
        """Weigh the documents of a class against the others, where that is asked for."""
        if stage == "fit" and self.balances:
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            there = data.class_counts()
            others = data.size_of("train") - there
            self.class_weights = (others / there.clamp(min=1)).clamp(min=1e-3).to(self.classifier.weight)

    def validation_metrics(self) -> list[str]:
        """Return the names of all that a validation logs."""
        names = ("f1_micro", "f1_macro", "exact_match", *(f"f1/{label}" for label in self.labels), "loss")
        return [f"validation/{name}" for name in names]

    def training_losses_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return what training makes small for each document ``(batch,)``: smoothed and weighted."""
        targets = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = F.binary_cross_entropy_with_logits(
            logits, targets.to(logits.dtype), pos_weight=self.class_weights, reduction="none"
        )
        return losses.mean(dim=-1)

    def losses_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return each document's binary cross-entropy ``(batch,)`` in nats, the mean over the classes."""
        losses = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return losses.mean(dim=-1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability that each document is of each class ``(batch, classes)``."""
        return torch.sigmoid(logits)

    def right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the share of right decisions for each document ``(batch,)``, at a probability of a half."""
        return (labels == (logits > 0)).float().mean(dim=-1)

    def report(self, stage: str) -> None:
        """Log the metrics of ``stage``; a validation in a training chooses the threshold first."""
        shares, truth = (part.cpu().numpy() for part in self.metrics[stage].compute())  # type: ignore[operator]
        if stage == "validation" and self.trainer.state.fn == TrainerFn.FITTING:
            self.threshold.fill_(best_threshold(shares, truth))
        values: dict[str, Any] = dict(label_figures(shares, truth, float(self.threshold), self.labels))
        values["loss"] = self.losses[stage].value_and_reset()  # type: ignore[operator]
        self.log_dict({f"{stage}/{name}": value for name, value in values.items()})

    def figures(self, data: Any, words: int) -> "MultiLabelFigures":
        """Return precision and recall of each class, and F1 by threshold."""
        from rnnlab.tasks.multi_label.figures import MultiLabelFigures

        return MultiLabelFigures(self, data, words)

    def recorder(self, data: Any, split: str) -> None:
        """Return nothing: the curves of an evaluation are of classes that exclude each other."""

    def together(self, data: Any, recorders: Any, weight: float | None = None) -> dict[str, dict[str, float]]:
        """Return nothing: so are those that are mixed."""
        return {}

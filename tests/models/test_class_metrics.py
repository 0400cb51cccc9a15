"""What is measured of a class that no document is of is no number."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torchmetrics.classification import BinaryAUROC, BinaryF1Score, MulticlassAccuracy, MulticlassF1Score

from rnnlab.errors import ConfigError
from rnnlab.tasks.sentiment.metrics import by_name, evaluation_metrics
from rnnlab.tasks.sentiment.task import SentimentClassifier

LABELS = ("bad", "good", "odd")


def measured(classes: int, targets: Sequence[int], seed: int = 0) -> dict[str, float]:
    """Return the metrics of random answers."""
    chance = torch.Generator().manual_seed(seed)
    scores = torch.rand(len(targets), classes, generator=chance).softmax(dim=1)
    metrics = evaluation_metrics(classes)
    for part in torch.arange(len(targets)).split(3):  # batches
        given = scores[part, 1] if classes == 2 else scores[part]
        metrics.update(given, torch.tensor(targets)[part])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = by_name(metrics.compute(), LABELS[:classes])
    return {name: float(value) for name, value in found.items()}


def numbers(found: dict[str, float]) -> set[str]:
    return {name for name, value in found.items() if not math.isnan(value)}


def test_two_classes() -> None:
    assert numbers(measured(2, [0] * 8)) == {"accuracy"}
    assert numbers(measured(2, [1] * 8)) == {"accuracy", "f1"}
    assert numbers(measured(2, [0, 1] * 4)) == {"accuracy", "f1", "auroc"}


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_of_three_classes_the_missing_one_has_no_figures_and_counts_in_no_mean(missing: int) -> None:
    there = [number for number in range(3) if number != missing]
    found = measured(3, [there[place % 2] for place in range(11)])
    lacking = {f"f1/{LABELS[missing]}", f"accuracy/{LABELS[missing]}"}
    assert set(found) - numbers(found) == lacking
    assert found["f1"] == pytest.approx(sum(found[f"f1/{LABELS[number]}"] for number in there) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_where_all_classes_occur_it_is_torchmetrics_to_the_last_bit(seed: int) -> None:
    targets = [0, 1, 2, 2, 1, 0, 1]
    chance = torch.Generator().manual_seed(seed)
    scores = torch.rand(len(targets), 3, generator=chance).softmax(dim=1)
    found = measured(3, targets, seed)
    assert found["f1"] == float(MulticlassF1Score(3, average="macro")(scores, torch.tensor(targets)))
    recalls = MulticlassAccuracy(3, average=None)(scores, torch.tensor(targets))
    assert [found[f"accuracy/{label}"] for label in LABELS] == recalls.tolist()
    two = torch.rand(7, 2, generator=torch.Generator().manual_seed(seed)).softmax(dim=1)[:, 1]
    halves = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    again = measured(2, halves.tolist(), seed)
    assert again["f1"] == float(BinaryF1Score()(two, halves))
    assert again["auroc"] == float(BinaryAUROC()(two, halves))


@pytest.mark.parametrize("labels", [("bad", "good"), ("bad", "odd", "good")])
def test_smoothed_labels_change_the_training_loss_alone(labels: tuple[str, ...]) -> None:
    words: dict[str, Any] = {"vocabulary_size": 9, "labels": labels, "embedding_size": 4}
    encoder = {"_target_": "rnnlab.encoder.recurrent.RecurrentEncoder", "cell": "gru", "hidden_size": 3}
    task = SentimentClassifier(model=encoder, label_smoothing=0.2, **words)
    targets = torch.arange(len(labels))
    logits = torch.randn(len(labels), 1 if len(labels) == 2 else len(labels)).squeeze(-1)
    whole = torch.stack([torch.zeros(2), logits], dim=1) if len(labels) == 2 else logits
    expected = torch.nn.functional.cross_entropy(whole, targets, label_smoothing=0.2, reduction="none")
    torch.testing.assert_close(task.training_losses_of(logits, targets), expected)
    plain = torch.nn.functional.cross_entropy(whole, targets, reduction="none")
    torch.testing.assert_close(task.losses_of(logits, targets), plain)
    with pytest.raises(ConfigError, match=r"task\.label_smoothing=1\.0"):
        SentimentClassifier(model=encoder, label_smoothing=1.0, **words)

"""A network mixed with the simple method beside it: a proper distribution, and a weight of validation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from rnnlab.errors import DataError
from rnnlab.tasks.baselines import best_weight, mixed_log_odds, mixed_losses
from rnnlab.tasks.language_model.baselines import mixed as mixed_with_trigrams
from rnnlab.tasks.language_model.kneser_ney import KneserNey
from rnnlab.training.train import train
from tests.training.conftest import write_reviews

GENERATOR = np.random.default_rng(1)


def shares(rows: int, classes: int) -> np.ndarray:
    drawn = GENERATOR.random((rows, classes)) + 0.05
    return drawn / drawn.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_mixed_log_odds_are_the_weighted_mean_and_probabilities_sum_to_one(weight: float) -> None:
    network, simple = shares(5, 2), shares(5, 2)
    mixed = mixed_log_odds(network, simple, weight)
    assert np.exp(mixed).sum(axis=1) == pytest.approx(np.ones(5))
    odds = [np.log(part[:, 1] / part[:, 0]) for part in (network, simple)]
    assert mixed[:, 1] - mixed[:, 0] == pytest.approx((1 - weight) * odds[0] + weight * odds[1])


def test_a_sure_and_wrong_answer_can_be_mixed() -> None:
    mixed = mixed_log_odds(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), 0.5)
    assert mixed[0] == pytest.approx([math.log(0.5)] * 2)


def test_mixed_tokens_are_a_distribution_over_the_vocabulary() -> None:
    trigrams = KneserNey(GENERATOR.integers(0, 7, 200), 7, before=1)
    simple, network = trigrams.distribution(3, 4), shares(1, 7)[0]
    losses = mixed_losses(-np.log(network), -np.log(simple), 0.4)
    assert np.exp(-losses).sum() == pytest.approx(1)
    assert np.exp(-losses) == pytest.approx(0.6 * network + 0.4 * simple)


@pytest.mark.parametrize(("network", "expected"), [(0.1, 0.0), (9.0, 1.0)])
def test_what_helps_nothing_gets_no_weight(network: float, expected: float) -> None:
    losses = np.full(4, network), np.full(4, 2.0)
    assert best_weight(lambda share: float(mixed_losses(*losses, share).mean())) == expected


def test_the_weight_is_the_validation_splits_and_no_half_text_is_mixed() -> None:
    simple, network = GENERATOR.random(300) * 4, GENERATOR.random(300) * 4
    answers = {"validation": simple, "test": simple, "perplexity": np.array([1.0])}
    mixture = mixed_with_trigrams({"validation": network, "test": network}, answers)
    assert 0 < mixture.weight < 1
    assert mixture.figures["loss"] < min(simple.mean(), network.mean())
    other = mixed_with_trigrams({"validation": network, "test": network[::-1]}, answers)
    assert other.weight == mixture.weight
    with pytest.raises(DataError, match="only a part"):
        mixed_with_trigrams({"validation": network, "test": network[:-1]}, answers)


def metrics_of(tmp_path: Path, name: str, *words: str) -> dict[str, dict[str, dict[str, float]]]:
    small = (
        "model.hidden_size=4",
        "model.backend=torch",
        "trainer=cpu",
        "trainer.max_epochs=1",
        "logger=none",
    )
    folder = train(["model=gru", *words, *small], tmp_path / name)
    found: dict[str, dict[str, dict[str, float]]] = json.loads((folder / "metrics.json").read_text())
    return found


def test_a_classifier_ends_with_the_mixture(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv", count=60)
    table = ("data=csv", f"data.corpus.train={reviews}", "data.vocabulary.min_frequency=1")
    metrics = metrics_of(tmp_path, "classifier", *table)
    row = metrics["together"]["with the bag of bigrams"]
    assert set(row) == {"accuracy", "loss", "weight"}
    assert row["loss"] < metrics["test"]["loss"]  # the words of these reviews tell all


def test_a_language_model_ends_with_the_mixture(tmp_path: Path) -> None:
    roses = tmp_path / "roses.txt"
    roses.write_text("\n".join(["the rose is red .", "the violet is blue .", ""] * 60), encoding="utf-8")
    text = ("task=language_model", "data=text", f"data.corpus.train={roses}", "batches.batch_size=4")
    metrics = metrics_of(tmp_path, "model", *text)
    row = metrics["together"]["with the trigrams"]
    assert row["perplexity"] < metrics["test"]["perplexity"]
    assert math.exp(row["loss"]) == pytest.approx(row["perplexity"])

"""The majority class and the bag of bigrams, computed once."""

from pathlib import Path

import pytest

from rnnlab.corpora.tables import Table
from rnnlab.tasks.sentiment import baselines as sentiment
from rnnlab.tasks.sentiment.baselines import sentiment_baselines
from tests.training.conftest import write_reviews


def test_they_are_what_they_say_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = Table(train=str(write_reviews(tmp_path / "reviews.csv", count=400)))
    figures = sentiment_baselines(corpus)
    labels = [document.label for document in corpus.documents("test")]
    share = labels.count(0) / len(labels)
    assert figures["majority class"]["accuracy"] in (share, 1 - share)
    assert figures["bag of bigrams"]["accuracy"] > 0.75

    def never(corpus: Table) -> None:
        raise AssertionError("computed twice")

    monkeypatch.setattr(sentiment, "computed", never)
    assert sentiment_baselines(corpus) == figures
    monkeypatch.undo()


def test_a_damaged_copy_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = Table(train=str(write_reviews(tmp_path / "reviews.csv")))
    figures = sentiment_baselines(corpus)
    (kept,) = (tmp_path / "cache" / "baselines").glob("*.json")
    kept.write_text('{"majority')
    assert sentiment_baselines(corpus) == figures
    assert "damaged" in caplog.text

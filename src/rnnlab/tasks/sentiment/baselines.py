"""Two baselines for classification: the majority class, and a bag of bigrams with logistic regression.

The second answers the validation split, too, so that a network can be mixed with it.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.corpora.corpus import Corpus, known_by
from rnnlab.errors import DataError
from rnnlab.figures.documents import ScoredDocuments
from rnnlab.files.array_file import Kind
from rnnlab.tasks.kept_baselines import Arrays, Figures, had, kept, kept_arrays
from rnnlab.tasks.together import Mixture, Reals, best_weight, mixed_log_odds
from rnnlab.text.tokenizers import BasicEnglish, Bytes, Characters, Tokenizer
from rnnlab.text.whole_lines import cut_of

log = logging.getLogger(__name__)

INVERSE_REGULARISATION = 30.0  # 0.909 on IMDB; 1 gives 0.882, as tf-idf weights are small
MARKS = re.compile("[!-/:-@\\[-^`{-~\u00a1-\u00bf\u2010-\u2027\u2030-\u205e\u3001-\u3020\uff01-\uff0f]+")
"""Punctuation, which parts words as spaces do."""
LATIN = "\u0250"
"""The first character behind the Latin alphabets, in which a single letter is hardly a word."""

ANSWERS = {"validation": Kind("f", 2), "test": Kind("f", 2), "accuracy": Kind("f", 1)}
"""Of the bag of bigrams: probabilities ``(documents, classes)`` of two splits, and the accuracy on test."""

Words = Callable[[str], list[str]]
Documents = tuple[list[str], list[int]]
"""Texts and labels."""


def sentiment_baselines(corpus: Corpus, tokenizer: Tokenizer, encoded: str) -> Figures:
    """Return ``{name: {"accuracy": …}}`` on the test split, fitted on the training split.

    The bag of bigrams is a logistic regression on tf-idf weights (sublinear, of words and pairs of words). It
    takes seconds to minutes the first time; the result is kept in the cache. What can't be had is left out,
    with a note.

    Args:
        corpus: with a training and a test split.
        tokenizer: the run's, trained if it is of that kind.
        encoded: the key of the encoded corpus, by which a tokenizer of the user's own is known.
    """
    inputs = inputs_of(corpus, tokenizer, encoded)

    def bigrams() -> Figures:
        answers = bigram_answers(corpus, tokenizer, encoded)
        return {"bag of bigrams": {"accuracy": float(answers["accuracy"][0])}}

    return {
        **had("majority class", lambda: kept("majority", inputs, lambda: majority_class(corpus))),
        **had("bag of bigrams", bigrams),
    }


def inputs_of(corpus: Corpus, tokenizer: Tokenizer, encoded: str) -> dict[str, Any]:
    """Return what decides the baselines."""
    is_ours = type(tokenizer).__module__.startswith("rnnlab.")
    return {
        "corpus": known_by(corpus),
        "words": tokenizer.to_dict() if is_ours else encoded,
        "inverse_regularisation": INVERSE_REGULARISATION,
        "version": 3,
    }


def bigram_answers(corpus: Corpus, tokenizer: Tokenizer, encoded: str) -> Arrays:
    """Return what the bag of bigrams says of each document, see ``ANSWERS``; arguments as above."""
    inputs = inputs_of(corpus, tokenizer, encoded)
    return kept_arrays("bigrams", inputs, ANSWERS, lambda: bag_of_bigrams(corpus, tokenizer))


def documents_of(corpus: Corpus, split: str) -> Documents:
    """Return texts and labels of a split.

    Raises:
        DataError: if a document has no label.
    """
    texts, labels = [], []
    for document in corpus.documents(split):
        texts.append(document.text)
        labels.append(label_of(document.label, corpus, split))
    return texts, labels


def majority_class(corpus: Corpus) -> Figures:
    """Score the answer that is the most frequent in training."""
    (_, train), (_, test) = documents_of(corpus, "train"), documents_of(corpus, "test")
    majority, _ = Counter(train).most_common(1)[0]
    return {"majority class": {"accuracy": sum(label == majority for label in test) / len(test)}}


def bag_of_bigrams(corpus: Corpus, tokenizer: Tokenizer) -> Arrays:
    """Fit the bag of bigrams, and ask it."""
    # Here, and not above: scikit-learn takes a second to import and most runs find the figures kept.
    from sklearn.linear_model import LogisticRegression

    texts, labels = documents_of(corpus, "train")
    log.info("Fitting the bag-of-bigrams baseline on %d documents, once for this corpus.", len(texts))
    features = features_of(tokenizer, texts)
    classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
    classifier.fit(features.fit_transform(texts), labels)

    def answers(split: str) -> tuple[Any, float]:
        asked, right = documents_of(corpus, split)
        weights = features.transform(asked)
        probabilities = np.zeros((len(asked), len(corpus.labels)))
        probabilities[:, classifier.classes_] = classifier.predict_proba(weights)
        return probabilities, float(classifier.score(weights, right))

    validation, (test, accuracy) = answers("validation")[0], answers("test")
    return {"validation": validation, "test": test, "accuracy": np.array([accuracy])}


def features_of(tokenizer: Tokenizer, texts: list[str]) -> Any:
    """Return scikit-learn's maker of tf-idf weights of words and pairs of words, for these training texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        tokenizer=words_by(tokenizer, texts),
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        min_df=2 if len(texts) > 100 else 1,
        sublinear_tf=True,
    )


def mixed(scored: Mapping[str, ScoredDocuments], answers: Arrays) -> Mixture:
    """Return a network and the bag of bigrams as one, by the mean of their log-odds.

    Args:
        scored: what the network says of validation and test.
        answers: of the bag of bigrams, see ``ANSWERS``.
    """

    def log_probabilities(split: str, weight: float) -> tuple[Reals, NDArray[np.int64]]:
        known = scored[split].known
        return mixed_log_odds(known.probabilities, answers[split][known.documents], weight), known.labels

    def loss(split: str, weight: float) -> float:
        logs, labels = log_probabilities(split, weight)
        return float(-logs[np.arange(len(labels)), labels].mean())

    weight = best_weight(lambda share: loss("validation", share))
    logs, labels = log_probabilities("test", weight)
    accuracy = float((logs.argmax(axis=1) == labels).mean())
    return Mixture(weight, {"accuracy": accuracy, "loss": loss("test", weight)})


def words_by(tokenizer: Tokenizer, texts: list[str]) -> Words:
    """Return what the bag of bigrams takes for words: the run's tokens, or characters where they are lines.

    Of a run on single characters or bytes it is words, too, where there are any: pairs of letters say little.
    """
    if isinstance(tokenizer, Characters | Bytes):
        tokenizer = BasicEnglish()
    if cut_of(tokenizer.encode, texts).is_whole_lines:
        log.info("Without spaces there are no words: the bag of bigrams is one of characters.")
        return characters
    return english_words if type(tokenizer) is BasicEnglish else tokenizer.encode


def english_words(text: str) -> list[str]:
    """Return what ``basic_english`` finds, parted at hyphens and the like, without marks and single letters.

    Where nothing else is in a text, they are its words.

    >>> english_words("It isn't a well-made film!"), english_words("A+!")
    (['it', 'isn', 'well', 'made', 'film'], ['a+', '!'])
    """
    tokens = BasicEnglish().encode(text)
    parts = MARKS.sub(" ", " ".join(tokens)).split()
    return [word for word in parts if len(word) > 1 or word >= LATIN] or tokens


def characters(text: str) -> list[str]:
    """Return the characters but for white space."""
    return [character for character in text if not character.isspace()]


def label_of(label: int | None, corpus: Corpus, split: str) -> int:
    """Return the label.

    Raises:
        DataError: if there is none.
    """
    if label is None:
        raise DataError(f"{corpus.name}: a document of the {split} split has no label.")
    return label

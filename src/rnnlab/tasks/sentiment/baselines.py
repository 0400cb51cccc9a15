"""Two baselines for classification: the majority class, and a bag of bigrams with logistic regression.

The second answers the validation split, too, so that a network can be mixed with it.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.atomic import written_beside
from rnnlab.corpora.corpus import Corpus, known_by
from rnnlab.errors import DamagedFileError, DataError, RunError
from rnnlab.figures.documents import ScoredDocuments
from rnnlab.files.array_file import Kind, read_packed
from rnnlab.folders import command
from rnnlab.tasks.baselines import (
    Arrays,
    Figures,
    Mixture,
    Reals,
    best_weight,
    had,
    kept,
    kept_arrays,
    mixed_log_odds,
)
from rnnlab.text.encoding_pass import cut_of
from rnnlab.text.tokenizers import BasicEnglish, Bytes, Characters, Tokenizer

log = logging.getLogger(__name__)

INVERSE_REGULARISATION = 30.0  # 0.909 on IMDB; 1 gives 0.882, as tf-idf weights are small
MARKS = re.compile("[!-/:-@\\[-^`{-~\u00a1-\u00bf\u2010-\u2027\u2030-\u205e\u3001-\u3020\uff01-\uff0f]+")
"""Punctuation, which parts words as spaces do."""
LATIN = "\u0250"
"""The first character behind the Latin alphabets, in which a single letter is hardly a word."""

ANSWERS = {"validation": Kind("f", 2), "test": Kind("f", 2), "accuracy": Kind("f", 1)}
"""Of the bag of bigrams: probabilities ``(documents, classes)`` of two splits, and the accuracy on test."""

KEPT_BAG = "bag_of_bigrams.npz"
RULES = ("characters", "english", "own")
"""What words are, by number; see :func:`rule_of`."""
BAG = {
    **{name: Kind("f", 1) for name in ("idf", "intercepts", "weight")},
    **{name: Kind("i", 1) for name in ("rule", "classes")},
    "words": Kind("u", 1),
    "coefficients": Kind("f", 2),
}
"""What is kept of a bag beside a run."""

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
        if document.label is None:
            raise DataError(f"{corpus.name}: a document of the {split} split has no label.")
        texts.append(document.text)
        labels.append(document.label)
    return texts, labels


def majority_class(corpus: Corpus) -> Figures:
    """Score the answer that is the most frequent in training."""
    (_, train), (_, test) = documents_of(corpus, "train"), documents_of(corpus, "test")
    majority, _ = Counter(train).most_common(1)[0]
    return {"majority class": {"accuracy": sum(label == majority for label in test) / len(test)}}


def bag_of_bigrams(corpus: Corpus, tokenizer: Tokenizer) -> Arrays:
    """Fit the bag of bigrams, and ask it."""
    vectorizer, classifier, _ = fitted_bag(corpus, tokenizer)

    def answers(split: str) -> tuple[Any, float]:
        asked, right = documents_of(corpus, split)
        weights = vectorizer.transform(asked)
        probabilities = np.zeros((len(asked), len(corpus.labels)))
        probabilities[:, classifier.classes_] = classifier.predict_proba(weights)
        return probabilities, float(classifier.score(weights, right))

    validation, (test, accuracy) = answers("validation")[0], answers("test")
    return {"validation": validation, "test": test, "accuracy": np.array([accuracy])}


def fitted_bag(corpus: Corpus, tokenizer: Tokenizer) -> tuple[Any, Any, str]:
    """Return tf-idf weights and logistic regression, fitted on the training split, and what words are."""
    # Here, and not above: scikit-learn takes a second to import and most runs find the figures kept.
    from sklearn.linear_model import LogisticRegression

    texts, labels = documents_of(corpus, "train")
    log.info("Fitting the bag-of-bigrams baseline on %s documents, once for this corpus.", f"{len(texts):,}")
    rule = rule_of(tokenizer, texts)
    vectorizer = features_of(tokenizer, texts, rule)
    classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
    classifier.fit(vectorizer.fit_transform(texts), labels)
    return vectorizer, classifier, rule


def features_of(tokenizer: Tokenizer, texts: list[str], rule: str | None = None) -> Any:
    """Return scikit-learn's maker of tf-idf weights of words and pairs of words, for these training texts."""
    rule = rule_of(tokenizer, texts) if rule is None else rule
    return vectorizer_of(rule, tokenizer, min_df=2 if len(texts) > 100 else 1)


def vectorizer_of(rule: str, tokenizer: Tokenizer, **options: Any) -> Any:
    """Return tf-idf weights of words and pairs of words, to be fitted."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words: dict[str, Words] = {"characters": characters, "english": english_words, "own": tokenizer.encode}
    return TfidfVectorizer(
        tokenizer=words[rule],
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        sublinear_tf=True,
        **options,
    )


class Bag:
    """A bag of bigrams that is kept beside a run, as plain data, with its weight in a mixture.

    Args:
        folder: the run's.
        tokenizer: the run's.
        classes: how many the run's model tells.

    Raises:
        RunError: if none is kept there.
        DamagedFileError: if it is damaged, or another run's.
    """

    def __init__(self, folder: Path, tokenizer: Tokenizer, classes: int) -> None:
        from sklearn.linear_model import LogisticRegression

        path = folder / KEPT_BAG
        if not path.is_file():
            raise RunError(
                f"No bag of bigrams is kept with {folder}: {command('evaluate')} "
                f"run={folder} together=true keeps it there."
            )
        mend = f"Remove it; {command('evaluate')} run={folder} together=true keeps it anew."
        found = read_packed(path, BAG, mend)
        rule = RULES[int(found["rule"][0]) % len(RULES)]
        words = found["words"].tobytes().decode("utf-8", "replace").split("\0")
        self.weight, self.classes = float(found["weight"][0]), classes
        self.regression = LogisticRegression()
        self.regression.classes_ = found["classes"]
        self.regression.coef_, self.regression.intercept_ = found["coefficients"], found["intercepts"]
        fits = (
            len(set(words)) == len(found["idf"]) == found["coefficients"].shape[1]
            and 0 <= self.weight <= 1
            and set(found["classes"].tolist()) <= set(range(classes))
            and len(found["coefficients"]) == len(found["intercepts"]) == max(1, rows_of(found["classes"]))
        )
        if not fits:
            raise DamagedFileError(f"{path} does not fit its run. {mend}")
        self.vectorizer = vectorizer_of(
            rule, tokenizer, vocabulary={word: place for place, word in enumerate(words)}
        )
        self.vectorizer.idf_ = found["idf"]

    @staticmethod
    def keep(vectorizer: Any, classifier: Any, rule: str, weight: float, folder: Path) -> Path:
        """Write a fitted bag beside a run; return the file."""
        path = folder / KEPT_BAG
        words = "\0".join(vectorizer.get_feature_names_out()).encode()
        with written_beside(path) as unfinished, unfinished.open("wb") as file:
            np.savez(
                file,
                words=np.frombuffer(words, dtype=np.uint8),
                rule=np.array([RULES.index(rule)]),
                idf=vectorizer.idf_.astype(np.float64),
                classes=classifier.classes_.astype(np.int64),
                coefficients=classifier.coef_.astype(np.float64),
                intercepts=classifier.intercept_.astype(np.float64),
                weight=np.array([weight]),
            )
        return path

    def mixed(self, texts: Sequence[str], network: Reals) -> Reals:
        """Return the probabilities of texts ``(texts, classes)`` of the mixture with a network's."""
        own = np.zeros((len(texts), self.classes))
        own[:, self.regression.classes_] = self.regression.predict_proba(self.vectorizer.transform(texts))
        found: Reals = np.exp(mixed_log_odds(network, own, self.weight)).astype(np.float32)
        return found


def rows_of(classes: NDArray[Any]) -> int:
    """Return how many rows of coefficients so many classes have: two share one."""
    return 1 if len(classes) == 2 else len(classes)


def mixed(scored: Mapping[str, ScoredDocuments], answers: Arrays, weight: float | None = None) -> Mixture:
    """Return a network and the bag of bigrams as one, by the mean of their log-odds.

    Args:
        scored: what the network says of validation and test.
        answers: of the bag of bigrams, see ``ANSWERS``.
        weight: of the bag of bigrams; None for that which is best on validation.
    """

    def log_probabilities(split: str, weight: float) -> tuple[Reals, NDArray[np.int64]]:
        known = scored[split].known
        return mixed_log_odds(known.probabilities, answers[split][known.documents], weight), known.labels

    def loss(split: str, weight: float) -> float:
        logs, labels = log_probabilities(split, weight)
        return float(-logs[np.arange(len(labels)), labels].mean())

    if weight is None:
        weight = best_weight(lambda share: loss("validation", share))
    logs, labels = log_probabilities("test", weight)
    accuracy = float((logs.argmax(axis=1) == labels).mean())
    return Mixture(weight, {"accuracy": accuracy, "loss": loss("test", weight)})


def rule_of(tokenizer: Tokenizer, texts: list[str]) -> str:
    """Return what the bag of bigrams takes for words: the run's tokens, or characters where they are lines.

    Of a run on single characters or bytes it is words, too, where there are any: pairs of letters say little.
    """
    if isinstance(tokenizer, Characters | Bytes):
        tokenizer = BasicEnglish()
    if cut_of(tokenizer.encode, texts).is_whole_lines:
        log.info("Without spaces there are no words: the bag of bigrams is one of characters.")
        return "characters"
    return "english" if type(tokenizer) is BasicEnglish else "own"


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

"""Two baselines for classification: the majority class, and a bag of bigrams with logistic regression."""

import logging
import re
from collections import Counter
from collections.abc import Callable
from functools import cache

from rnnlab.corpora.corpus import Corpus, known_by
from rnnlab.errors import DataError
from rnnlab.tasks.kept_baselines import Figures, had, kept
from rnnlab.text.tokenizers import BasicEnglish, Bytes, Characters, Tokenizer
from rnnlab.text.whole_lines import cut_of

log = logging.getLogger(__name__)

INVERSE_REGULARISATION = 30.0  # 0.909 on IMDB; 1 gives 0.882, as tf-idf weights are small
MARKS = re.compile("[!-/:-@\\[-^`{-~\u00a1-\u00bf\u2010-\u2027\u2030-\u205e\u3001-\u3020\uff01-\uff0f]+")
"""Punctuation, which parts words as spaces do."""
LATIN = "\u0250"
"""The first character behind the Latin alphabets, in which a single letter is hardly a word."""

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
    is_ours = type(tokenizer).__module__.startswith("rnnlab.")
    inputs = {
        "corpus": known_by(corpus),
        "words": tokenizer.to_dict() if is_ours else encoded,
        "inverse_regularisation": INVERSE_REGULARISATION,
        "version": 2,
    }
    documents = cache(lambda: {split: documents_of(corpus, split) for split in ("train", "test")})
    return {
        **had("majority class", lambda: kept("majority", inputs, lambda: majority_class(documents()))),
        **had(
            "bag of bigrams",
            lambda: kept("bigrams", inputs, lambda: bag_of_bigrams(documents(), tokenizer)),
        ),
    }


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


def majority_class(documents: dict[str, Documents]) -> Figures:
    """Score the answer that is the most frequent in training."""
    (_, train), (_, test) = documents["train"], documents["test"]
    majority, _ = Counter(train).most_common(1)[0]
    return {"majority class": {"accuracy": sum(label == majority for label in test) / len(test)}}


def bag_of_bigrams(documents: dict[str, Documents], tokenizer: Tokenizer) -> Figures:
    """Fit and score the bag of bigrams."""
    # Here, and not above: scikit-learn takes a second to import and most runs find the figures kept.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    (texts, labels), (test_texts, test_labels) = documents["train"], documents["test"]
    log.info("Fitting the bag-of-bigrams baseline on %d documents, once for this corpus.", len(texts))
    features = TfidfVectorizer(
        tokenizer=words_by(tokenizer, texts),
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        min_df=2 if len(texts) > 100 else 1,
        sublinear_tf=True,
    )
    classifier = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
    classifier.fit(features.fit_transform(texts), labels)
    accuracy = classifier.score(features.transform(test_texts), test_labels)
    return {"bag of bigrams": {"accuracy": float(accuracy)}}


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

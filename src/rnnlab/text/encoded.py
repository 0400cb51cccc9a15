"""A corpus in ids: flat memory-mapped arrays, encoded once and kept in the cache folder.

What is kept is named by a digest of all that made it (the corpus's content, the tokenizer, the code of both
where they are the user's own, the settings of the vocabulary, the form of the files), so a changed corpus or
an edited tokenizer is a new entry and nothing has to be cleared.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.corpora.corpus import Corpus, Document, fingerprint_of, known_by
from rnnlab.errors import ConfigError, DataError
from rnnlab.files.array_file import open_array
from rnnlab.files.bounded import damaged, within
from rnnlab.files.plain_file import read_json
from rnnlab.text import encoding_pass
from rnnlab.text.encoding_pass import part
from rnnlab.text.sealed_folder import kept
from rnnlab.text.tokenizer_identity import identity
from rnnlab.text.tokenizers import Tokenizer, TrainedTokenizer, check_known
from rnnlab.text.vocabulary import SPECIALS, Vocabulary

FORMAT = 2  # raise it when the files, or what a tokenizer makes of a text, change
_FACTS = "facts.json"
_SHAPE = {
    **{"tokenizer": {str: object}, "vocabulary": {"tokens": [str], "closed": bool}, "labels": [str]},
    **{"files": {str: str}, "out_of_vocabulary": {str: (int, float)}, "label_sets?": [[int]]},
}
_LARGEST = 512 << 20  # bytes: a vocabulary of millions of tokens
CHUNK = 1 << 20  # tokens
_EVERY = 500  # documents between two calls of progress

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many documents are done, and of how many (None: not known)."""


@dataclass(frozen=True)
class EncodedSplit:
    """The documents of a split, one after another.

    Where they come from the cache, ``tokens`` is mapped from its file and read-only, and a pickled split
    holds only the path: workers of any kind share the one copy.
    """

    tokens: npt.NDArray[np.int32]
    """Ids of all documents, shape (total,)."""
    offsets: npt.NDArray[np.int64]
    """Document i is ``tokens[offsets[i]:offsets[i + 1]]``, shape (documents + 1,)."""
    labels: npt.NDArray[np.int64]
    """Class ids, or numbers of sets of classes, -1 where a document has none, shape (documents,)."""
    source: Path | None = None
    """The beginning of its files' names; None for a split that lies in memory only."""

    @classmethod
    def open(cls, source: Path) -> "EncodedSplit":
        """Map the split whose files' names begin with ``source``."""
        tokens = open_array(part(source, "tokens"), np.int32, mapped=True)
        offsets = open_array(part(source, "offsets"), np.int64, mapped=True)
        labels = open_array(part(source, "labels"), np.int64, mapped=True)
        if len(offsets) != len(labels) + 1 or offsets[0] != 0 or offsets[-1] != len(tokens):
            raise damaged(part(source, "offsets"), "it does not fit the tokens and labels beside it")
        if np.any(np.diff(offsets) < 1):
            raise damaged(part(source, "offsets"), "it has documents without a token")
        return cls(tokens, offsets, labels, source)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each document, shape (documents,); at least 1."""
        return np.diff(self.offsets)

    def counts(self, vocabulary_size: int) -> npt.NDArray[np.int64]:
        """Return how often each id occurs, ``(vocabulary_size,)``: 8 bytes a token, a chunk at a time."""
        counts = np.zeros(vocabulary_size, np.int64)
        for start in range(0, len(self.tokens), CHUNK):
            counts += np.bincount(self.tokens[start : start + CHUNK], minlength=vocabulary_size)
        return counts

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, document: int) -> npt.NDArray[np.int32]:
        """Return the ids of one document, shape (length,)."""
        if not 0 <= document < len(self):
            raise IndexError(f"document {document} of {len(self)}")
        return self.tokens[self.offsets[document] : self.offsets[document + 1]]

    def __reduce__(self) -> tuple[Any, ...]:
        if self.source is None:
            return EncodedSplit, (self.tokens, self.offsets, self.labels)
        return EncodedSplit.open, (self.source,)


@dataclass(frozen=True)
class EncodedCorpus:
    """Splits in ids, with what it takes to read them."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    """Class names in the order of their ids; empty where documents have none."""
    splits: Mapping[str, EncodedSplit]
    out_of_vocabulary: Mapping[str, float]
    """Share of each split's tokens that the vocabulary lacks."""
    key: str
    """Digest of all that made it."""
    label_sets: tuple[tuple[int, ...], ...] = ()
    """Where documents may be of several classes: the sets of class ids that their numbers mean."""


def encoded_corpus(
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    splits: Sequence[str],
    vocabulary_splits: Sequence[str] = ("train",),
    max_size: int | None = None,
    min_frequency: int = 1,
    closed: bool = False,
    vocabulary: Vocabulary | None = None,
    progress: Progress | None = None,
) -> EncodedCorpus:
    """Return ``splits`` of ``corpus`` in ids: from the cache, else encoded now and kept there.

    A kept one that was damaged is replaced, with a warning in the log. Several processes may ask at once.

    Args:
        corpus: where the documents come from.
        tokenizer: how they become tokens; one that learns is trained here, on ``vocabulary_splits``.
        splits: what to encode.
        vocabulary_splits: those of ``splits`` whose text the vocabulary is built from.
        max_size: the most entries of the vocabulary, both symbols included; None for no limit.
        min_frequency: the fewest occurrences of a token in the vocabulary. It does not bind a tokenizer that
            has, or learnt, a set of tokens which can spell every text: all of them are in.
        closed: whether a token that the vocabulary lacks is an error.
        vocabulary: encode with this one, of a trained model; nothing is then built or learnt, and the four
            arguments before it do not count.
        progress: called now and then while documents are read.

    Raises:
        DataError: if the corpus is missing or damaged, the vocabulary's splits hold no token, or the
            vocabulary is closed and lacks a token.
        ConfigError: if ``max_size`` has no room for the tokens that the tokenizer learnt, or the tokenizer
            has another's name or would not come back from a checkpoint as it is.
        RnnlabError: if the disk is full or the cache folder can't be written.
        ValueError: if ``vocabulary_splits`` are not among ``splits``.
    """
    if vocabulary is not None:
        vocabulary_splits, max_size, min_frequency, closed = (), None, 1, vocabulary.closed
    if not set(vocabulary_splits) <= set(splits):
        raise ValueError(f"vocabulary_splits {vocabulary_splits} must be among splits {splits}")
    check_known(tokenizer)
    key = fingerprint_of(
        format=FORMAT,
        corpus=known_by(corpus),
        tokenizer=identity(tokenizer),
        splits=sorted(splits),
        vocabulary_splits=sorted(vocabulary_splits),
        max_size=max_size,
        min_frequency=min_frequency,
        closed=closed,
        **({} if vocabulary is None else {"vocabulary": vocabulary.to_dict()}),
    )
    wanted = _Wanted(tuple(splits), tuple(vocabulary_splits), max_size, min_frequency, closed, vocabulary)
    return kept(
        "encoded",
        corpus.name,
        key,
        lambda folder: _open(folder, splits, key, type(tokenizer)),
        lambda unfinished: _encode(unfinished, corpus, tokenizer, wanted, progress),
        "The encoded corpus",
    )


class _Wanted(NamedTuple):
    splits: tuple[str, ...]
    vocabulary_splits: tuple[str, ...]
    max_size: int | None
    min_frequency: int
    closed: bool
    vocabulary: Vocabulary | None


def _open(folder: Path, splits: Iterable[str], key: str, tokenizer: type[Tokenizer]) -> EncodedCorpus:
    facts = read_json(folder / _FACTS, _SHAPE, largest=_LARGEST)
    found = EncodedCorpus(
        tokenizer=tokenizer.from_dict(facts["tokenizer"]),
        vocabulary=Vocabulary.from_dict(facts["vocabulary"]),
        labels=tuple(facts["labels"]),
        splits={
            split: EncodedSplit.open(within(folder, facts["files"][split], "A split")) for split in splits
        },
        out_of_vocabulary={split: facts["out_of_vocabulary"][split] for split in splits},
        key=key,
        label_sets=tuple(map(tuple, facts.get("label_sets") or ())),
    )
    if not all(0 <= number < len(found.labels) for numbers in found.label_sets for number in numbers):
        raise damaged(folder, "it has sets of classes that have no name")
    meanings = len(found.label_sets or found.labels)
    for split, texts in found.splits.items():
        if not 0 <= texts.tokens.min(initial=0) <= texts.tokens.max(initial=0) < len(found.vocabulary):
            raise damaged(folder, f"{split} has ids that the vocabulary lacks")
        if not -1 <= texts.labels.min(initial=-1) <= texts.labels.max(initial=-1) < meanings:
            raise damaged(folder, f"{split} has classes that have no name")
    return found


def _encode(
    folder: Path, corpus: Corpus, tokenizer: Tokenizer, wanted: _Wanted, progress: Progress | None
) -> None:
    """Write the splits and the facts about them into ``folder``."""
    if isinstance(tokenizer, TrainedTokenizer) and tokenizer.symbols is None:
        training = corpus.all_documents(wanted.vocabulary_splits)
        tokenizer = tokenizer.train(
            document.text for _, document in _reported("Training the tokenizer", training, progress)
        )
    documents = _reported("Encoding", corpus.all_documents(wanted.splits), progress)
    text = encoding_pass.tokenize_into(folder, documents, tokenizer, wanted.splits)
    vocabulary = wanted.vocabulary or _vocabulary(text, tokenizer, wanted, corpus.name)
    final = encoding_pass.final_ids(text, vocabulary)
    if wanted.closed:
        encoding_pass.check_closed(text, final, corpus.name)
    files = {split: f"split{number}" for number, split in enumerate(wanted.splits)}
    for split, file in files.items():
        encoding_pass.write_split(text.splits[split], final, folder / file)
    facts = {
        "labels": list(corpus.labels),
        "label_sets": list(getattr(corpus, "label_sets", ())),
        "files": files,
        "out_of_vocabulary": encoding_pass.out_of_vocabulary(text, final),
        "tokenizer": tokenizer.to_dict(),
        "vocabulary": vocabulary.to_dict(),
    }
    (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")


def _vocabulary(
    text: encoding_pass.TokenizedText, tokenizer: Tokenizer, wanted: _Wanted, corpus: str
) -> Vocabulary:
    counts = text.counts(wanted.vocabulary_splits)
    if not counts:
        raise DataError(
            f"{corpus}: {' and '.join(wanted.vocabulary_splits)} has no documents, so there is no text "
            "to build the vocabulary from."
        )
    symbols = getattr(tokenizer, "symbols", None)
    if symbols is None:
        return Vocabulary.build(
            counts, max_size=wanted.max_size, min_frequency=wanted.min_frequency, closed=wanted.closed
        )
    is_trained = isinstance(tokenizer, TrainedTokenizer)
    size = len(SPECIALS) + len(symbols)
    if wanted.max_size is not None and size > wanted.max_size:
        or_fewer = f", or the tokenizer's vocab_size to {wanted.max_size - len(SPECIALS)} or less"
        verb = "learnt" if is_trained else "has"
        raise ConfigError(
            f"The vocabulary's max_size={wanted.max_size} has no room for the {len(symbols)} tokens that the "
            f"{tokenizer.name} tokenizer {verb} and the {len(SPECIALS)} symbols. "
            f"Set max_size to null{or_fewer if is_trained else ''}."
        )
    if not is_trained:
        return Vocabulary((*SPECIALS, *symbols), closed=wanted.closed)
    return Vocabulary.build({**dict.fromkeys(symbols, 0), **counts}, min_frequency=0, closed=wanted.closed)


def _reported(
    stage: str, documents: Iterable[tuple[str, Document]], progress: Progress | None
) -> Iterator[tuple[str, Document]]:
    done = 0
    for done, pair in enumerate(documents, start=1):
        yield pair
        if progress is not None and done % _EVERY == 0:
            progress(stage, done, None)
    if progress is not None:
        progress(stage, done, done)

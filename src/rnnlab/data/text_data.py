"""What the data of every task on text shares: a corpus, encoded once."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnlab.build import fits, said
from rnnlab.corpora.corpus import Corpus, check_split
from rnnlab.corpora.labels import Classes
from rnnlab.corpora.memory_problems import MemoryProblem
from rnnlab.data.task_data import TaskData
from rnnlab.errors import ConfigError, DataError
from rnnlab.text.encoded import EncodedCorpus, EncodedSplit, Progress, encoded_corpus
from rnnlab.text.encoding_pass import Cut, advice, cut_of, letters_of
from rnnlab.text.tokenizer_identity import probed
from rnnlab.text.tokenizers import Tokenizer
from rnnlab.text.vocabulary import SPECIALS, NoTokensError

if TYPE_CHECKING:
    from rnnlab.tasks.answers import OpenedRun

SIZES = {"max_size": int | None, "min_frequency": int}


class TextData(TaskData):
    """A corpus as the batches of a task.

    Args:
        corpus: where the text comes from.
        tokenizer: how it becomes tokens.
        vocabulary: ``max_size``, ``min_frequency`` and ``closed``, see
            :class:`rnnlab.text.vocabulary.Vocabulary`.
        seed: fixes the order of the batches.
        overfit: if given, train on this many batches only, the same in every epoch.

    Raises:
        ConfigError: if the corpus has no documents, or the vocabulary's sizes are no whole numbers.
    """

    corpora = (Corpus, MemoryProblem)  # of which the latter is refused with a reason
    reads_text = True

    def __init__(
        self,
        *,
        corpus: Corpus,
        tokenizer: Tokenizer,
        vocabulary: Mapping[str, Any],
        seed: int,
        overfit: int | None = None,
    ) -> None:
        super().__init__(corpus=corpus, seed=seed, overfit=overfit)
        if not hasattr(corpus, "documents"):
            raise ConfigError(
                f"data={getattr(corpus, 'name', type(corpus).__name__)} has no documents, and this task "
                "reads text: take another task, such as task=memory for a memory problem, or other data."
            )
        self.tokenizer = tokenizer
        for name, value in vocabulary.items():
            if not fits(value, SIZES.get(name, Any)):
                raise ConfigError(f"data.vocabulary.{name}={value}: expected {said(SIZES[name])}.")
        self.vocabulary_settings = dict(vocabulary)
        self.encoded: EncodedCorpus

    @abstractmethod
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Return the corpus's splits that serve as ``train``, ``validation`` and ``test``.

        Raises:
            ConfigError: if the corpus lacks what the task needs.
        """

    def prepare(self, progress: Progress | None = None) -> None:
        """Open the encoded corpus, encoding it first where the cache does not have it."""
        splits = self.splits()
        wanted = tuple(dict.fromkeys(name for names in splits.values() for name in names))
        try:
            self.encoded = encoded_corpus(
                self.corpus,
                self.tokenizer,
                splits=wanted,
                vocabulary_splits=splits["train"],
                progress=progress,
                **self.vocabulary_settings,
            )
        except NoTokensError as error:  # as of lines that occur once each
            why = advice(self.tokenizer.name, self.first_texts_cut(self.tokenizer))
            raise DataError(f"{error} {why}".strip()) from error

    def prepare_split(
        self, split: str, run: "OpenedRun", labels: Sequence[str] = (), progress: Progress | None = None
    ) -> None:
        """Encode one split by the model's vocabulary, its classes numbered as the model's."""
        names = self.splits()[split]
        for name in names:
            check_split(self.corpus, name)
        encoded = encoded_corpus(
            self.corpus, run.tokenizer, splits=names, vocabulary=run.vocabulary, progress=progress
        )
        if run.labels:
            encoded = numbered_as(encoded, run.labels, model_ids(run.labels, encoded.labels, labels))
        self.encoded = encoded
        self.out_of_vocabulary = max(encoded.out_of_vocabulary.values())

    def size_of(self, split: str) -> int:
        """Return how many documents an encoded split has."""
        return sum(len(self.encoded.splits[name]) for name in self.splits()[split])

    def describe(self) -> str:
        """Return corpus, splits, vocabulary, out-of-vocabulary rate, and what was held out."""
        encoded = self.encoded
        sizes = ", ".join(f"{name} {len(split):,}" for name, split in encoded.splits.items())
        missed = encoded.out_of_vocabulary.get("validation")
        share = f", {100 * missed:.1f} % of the validation tokens outside it" if missed is not None else ""
        corpus = f"{self.corpus.name}: {sizes} documents; vocabulary of {len(encoded.vocabulary):,}{share}."
        held_out = ", ".join(f"{name} ({100 * part:.0f} %)" for name, part in self.corpus.held_out.items())
        told = f" Held out of its training documents: {held_out}." if held_out else ""
        return f"{corpus}{told}"

    def warnings(self) -> Sequence[str]:
        """Return the corpus's."""
        found: Sequence[str] = self.corpus.warnings()
        return found

    def first_texts_cut(self, tokenizer: Tokenizer) -> Cut:
        """Return how a tokenizer cuts the first training texts."""
        documents = self.corpus.documents(self.splits()["train"][0])
        return cut_of(tokenizer.encode, (document.text for document in documents))

    def advice(self) -> str:
        """Return a warning where the tokenizer takes whole lines for words.

        Known tokens tell it; where most are unknown, as lines that occur once are, a few texts are read.
        """
        encoded = self.encoded
        name = self.splits()["train"][0]
        split, specials = encoded.splits[name], len(SPECIALS)
        counts = split.counts(len(encoded.vocabulary))[specials:]
        if counts.sum() > len(split.tokens) / 2:
            words, shares = encoded.vocabulary.tokens[specials:], counts / counts.sum()
            sizes = [float(shares @ list(map(size, words))) for size in (len, letters_of)]
            cut = Cut(len(split.tokens) / max(len(split), 1), *sizes)
        else:
            cut = self.first_texts_cut(encoded.tokenizer)
        return advice(encoded.tokenizer.name, cut)

    def metadata(self) -> dict[str, Any]:
        """Return vocabulary, tokenizer and class names, and by what tokens the tokenizer is known again."""
        return {
            "probe": probed(self.encoded.tokenizer, self.encoded.vocabulary.tokens),
            "vocabulary": self.encoded.vocabulary.to_dict(),
            "tokenizer": self.encoded.tokenizer.to_dict(),
            "labels": list(self.encoded.labels),
        }


def model_ids(model: Sequence[str], corpus: Sequence[str], named: Sequence[str]) -> list[int]:
    """Return the model's class id for each class of the corpus.

    Args:
        model: the model's classes.
        corpus: the corpus's classes.
        named: what the corpus calls the model's, in the model's order; empty where they are called the same.

    Raises:
        ConfigError: if the corpus has no classes, or one that the model has not, under the names given.
    """
    if not corpus:
        raise ConfigError(
            f"The model tells {', '.join(model)}; the data has no classes to compare its answers with. "
            "Name a table with labels; predict.py answers for texts without."
        )
    called = Classes(list(named) or list(model))
    ids = [called.id_of(name) for name in corpus]
    known = [number for number in ids if number is not None]
    if len(called.names) != len(model) or len(set(called.names)) != len(model) or len(known) < len(ids):
        raise ConfigError(
            f"The model tells {', '.join(model)}; the data has {', '.join(corpus)}. {renaming(model, corpus)}"
        )
    return known


def renaming(model: Sequence[str], corpus: Sequence[str]) -> str:
    """Return what to do where a corpus has other classes than the model."""
    if len(corpus) > len(model):
        strange = [
            name
            for name, number in zip(corpus, map(Classes(model).id_of, corpus), strict=True)
            if number is None
        ]
        return (
            f"A model can't tell what it has not learnt: {', '.join(strange)}. Rename or remove their rows."
        )
    order = f"Say what the data calls the model's, in the order {', '.join(model)}: labels="
    if len(corpus) < len(model):
        return f"{order}…, {len(model)} names, also of those that the data lacks."
    return f"{order}{','.join(corpus)}, or turned round."


def numbered_as(encoded: EncodedCorpus, labels: tuple[str, ...], ids: Sequence[int]) -> EncodedCorpus:
    """Return the corpus with ``labels`` for its classes, class ``i`` being ``labels[ids[i]]``."""
    if encoded.label_sets:
        sets = tuple(tuple(ids[number] for number in numbers) for numbers in encoded.label_sets)
        return replace(encoded, labels=labels, label_sets=sets)
    parts = {name: relabelled(part, ids) for name, part in encoded.splits.items()}
    return replace(encoded, labels=labels, splits=parts)


def relabelled(split: EncodedSplit, ids: Sequence[int]) -> EncodedSplit:
    """Return the split with class ``i`` renamed to ``ids[i]``; the text stays where it is."""
    if list(ids) == list(range(len(ids))):
        return split
    changed = np.where(split.labels < 0, -1, np.asarray(ids, dtype=np.int64)[split.labels])
    return replace(split, labels=changed, source=None)

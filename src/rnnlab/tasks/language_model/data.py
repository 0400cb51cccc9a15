"""A corpus as one long text a split: columns and windows for a language model."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.corpora.corpus import Corpus
from rnnlab.data.streams import StreamBatch, StreamLoader, TokenStream
from rnnlab.data.text_data import TextData
from rnnlab.errors import ConfigError
from rnnlab.own_code import code_of
from rnnlab.tasks.baselines import Arrays
from rnnlab.text.encoded import EncodedSplit
from rnnlab.text.tokenizers import Characters, Tokenizer
from rnnlab.text.vocabulary import EOS_ID

log = logging.getLogger(__name__)

CHUNK = 1 << 20  # ids that are read at a time
LARGEST_OF_TRIGRAMS = 50_000_000  # tokens; their counts take about 100 bytes of memory for each


class LanguageData(TextData):
    """Documents one after another, each ended by ``<eos>``.

    The training text is the training split and whatever unlabelled text the corpus has for it, never
    anything of its test split.

    Args:
        corpus: where the text comes from; labels are not looked at.
        tokenizer: how it becomes tokens.
        vocabulary: ``max_size``, ``min_frequency`` and ``closed``.
        seed: fixes random window lengths and columns' beginnings.
        overfit: if given, train on this many windows only, the same in every epoch.
        batch_size: columns that are read side by side, on each process.
        bptt: steps of a window, through which gradients flow.
        random_lengths: draw each window's length around ``bptt``, as AWD-LSTM does.
        partial_shuffle: begin each column of the training text elsewhere in each epoch (Press 2019).
        backward: read every text from its end to its beginning, so that each token is predicted from those
            after it.
        evaluation_batch_size: columns in validation and test; fewer see more of what went before.

    Raises:
        ConfigError: if a size is below one.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        tokenizer: Tokenizer,
        vocabulary: Mapping[str, Any],
        seed: int,
        overfit: int | None = None,
        batch_size: int = 20,
        bptt: int = 35,
        random_lengths: bool = False,
        partial_shuffle: bool = False,
        backward: bool = False,
        evaluation_batch_size: int = 10,
    ) -> None:
        super().__init__(
            corpus=corpus, tokenizer=tokenizer, vocabulary=vocabulary, seed=seed, overfit=overfit
        )
        for name, value in (
            ("batch_size", batch_size),
            ("bptt", bptt),
            ("evaluation_batch_size", evaluation_batch_size),
        ):
            if value < 1:
                raise ConfigError(f"batches.{name}={value}: expected at least 1.")
        self.batch_size = batch_size
        self.bptt = bptt
        self.random_lengths = random_lengths
        self.partial_shuffle = partial_shuffle
        self.backward = backward
        self.evaluation_batch_size = evaluation_batch_size
        self.texts: dict[str, LongText] = {}

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Return the splits: unlabelled text joins the training split."""
        return {
            "train": ("train", *self.corpus.unlabelled),
            "validation": ("validation",),
            "test": ("test",),
        }

    @classmethod
    def rehearsal(cls, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a large vocabulary."""
        return {"vocabulary_size": 10**7}

    def model_arguments(self) -> dict[str, Any]:
        """Return the vocabulary's size, whether a token is a character, and the direction of reading.

        Raises:
            DataError: if a split is too short for its columns; known before training, not after it.
        """
        self.stream("train", self.batch_size)
        for stage in ("validation", "test"):
            self.stream(stage, self.evaluation_batch_size)
        return {
            "vocabulary_size": len(self.encoded.vocabulary),
            "characters": isinstance(self.encoded.tokenizer, Characters),
            "reads_backward": self.backward,
        }

    def text(self, stage: str) -> "LongText":
        """Return the ids of ``train``, ``validation`` or ``test``, an ``<eos>`` after each document."""
        if stage not in self.texts:
            splits = [self.encoded.splits[split] for split in self.splits()[stage]]
            self.texts[stage] = LongText(splits, backward=self.backward)
        return self.texts[stage]

    def stream(self, stage: str, batch_size: int) -> TokenStream:
        """Return this process's columns of a stage's text."""
        rank, processes = self.rank_and_size()
        return TokenStream(
            self.text(stage),
            first_input=EOS_ID,
            batch_size=batch_size,
            rank=rank,
            world_size=processes,
            name=f"The {stage} text of {self.corpus.name}",
        )

    def train_loader(self) -> StreamLoader:
        """Return the windows of the training text."""
        stream = self.stream("train", self.batch_size)
        return StreamLoader(
            stream,
            self.bptt,
            random_lengths=self.random_lengths,
            partial_shuffle=self.partial_shuffle,
            seed=self.seed,
        )

    def val_dataloader(self) -> StreamLoader:
        """Return the windows of the validation text."""
        return StreamLoader(self.stream("validation", self.evaluation_batch_size), self.bptt)

    def test_dataloader(self) -> StreamLoader:
        """Return the windows of the test text."""
        return StreamLoader(self.stream("test", self.evaluation_batch_size), self.bptt)

    def probe_batch(self, sequences: int) -> StreamBatch:
        """Return the first window of the validation text, of at most so many columns."""
        columns = min(sequences, self.evaluation_batch_size)
        return next(iter(StreamLoader(self.stream("validation", columns), self.bptt)))

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return the test perplexity of an interpolated Kneser-Ney trigram model of the same ids."""
        answers = self.trigram_answers()
        if len(self.text("train")) > LARGEST_OF_TRIGRAMS:
            log.warning(
                "The trigram baseline is left out: the training text has %s tokens, and %s fit into memory.",
                f"{len(self.text('train')):,}",
                f"{LARGEST_OF_TRIGRAMS:,}",
            )
        return (
            {} if answers is None else {"Kneser-Ney trigram": {"perplexity": float(answers["perplexity"][0])}}
        )

    def trigram_answers(self) -> Arrays | None:
        """Return what that model says of validation and test; None where there is none."""
        if len(self.text("train")) > LARGEST_OF_TRIGRAMS:
            return None
        from rnnlab.tasks.language_model.baselines import trigram_answers

        return trigram_answers(
            *(self.text(stage).whole() for stage in ("train", "validation", "test")),
            vocabulary_size=len(self.encoded.vocabulary),
            before=EOS_ID,
            key=f"{self.encoded.key} {code_of(type(self))} {'backward' * self.backward}".strip(),
        )


class LongText:
    """Documents one after another, each ended by ``<eos>``, as one sequence that is read where it lies.

    The ids stay on the disk, and the ends, which are not there, are put in as a window is read: memory holds
    8 bytes a document.

    Args:
        splits: one behind the other.
        backward: turn the whole text round, so that each document's ``<eos>`` is its last again.
    """

    def __init__(self, splits: Sequence[EncodedSplit], *, backward: bool = False) -> None:
        self.splits = splits
        self.ends = [ends_of(split) for split in splits]
        lengths = [len(split.tokens) + len(ends) for split, ends in zip(splits, self.ends, strict=True)]
        self.bounds = np.cumsum([0, *lengths])
        self.backward = backward

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def __getitem__(self, places: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the ids at ``places``, in their shape."""
        if self.backward:
            last = len(self) - 1
            places = np.where(places == last, last, last - 1 - places)
        if len(self.splits) == 1:
            return self.of_split(0, places)
        found = np.empty(places.shape, dtype=np.int32)
        split_of = np.searchsorted(self.bounds, places, side="right") - 1
        for number in np.unique(split_of):
            here = split_of == number
            found[here] = self.of_split(number, places[here] - self.bounds[number])
        return found

    def of_split(self, number: int, places: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the ids at places of one split's text."""
        ends, tokens = self.ends[number], self.splits[number].tokens
        before = np.searchsorted(ends, places)  # ends before each place
        ids: NDArray[np.int32] = tokens[np.minimum(places - before, len(tokens) - 1)]
        if len(ends):
            ids[ends[np.minimum(before, len(ends) - 1)] == places] = EOS_ID
        return ids

    def chunks(self) -> Iterator[NDArray[np.int32]]:
        """Yield the text from its beginning to its end, a million ids at a time."""
        for start in range(0, len(self), CHUNK):
            yield self[np.arange(start, min(start + CHUNK, len(self)))]

    def whole(self) -> NDArray[np.int32]:
        """Return all of it, in memory."""
        return np.concatenate([np.empty(0, np.int32), *self.chunks()])

    def counts(self, vocabulary_size: int) -> NDArray[np.int64]:
        """Return how often each id occurs, ``(vocabulary_size,)``."""
        counts = np.zeros(vocabulary_size, np.int64)
        for chunk in self.chunks():
            counts += np.bincount(chunk, minlength=vocabulary_size)
        return counts


def ends_of(split: EncodedSplit) -> NDArray[np.int64]:
    """Return the places of the ends that a split's text lacks, in the text that has them.

    A document of no tokens is encoded as a lone ``<eos>``, which already is its end.
    """
    short = np.flatnonzero(np.diff(split.offsets) == 1)
    empty = short[split.tokens[split.offsets[short]] == EOS_ID]
    ends: NDArray[np.int64] = np.delete(np.asarray(split.offsets)[1:], empty)
    ends += np.arange(len(ends))
    return ends

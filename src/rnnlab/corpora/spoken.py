"""What a corpus of recordings is: named splits of sounds, each with its speaker and what is said."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rnnlab.corpora.corpus import Corpus, Document
from rnnlab.corpora.sound import Sound
from rnnlab.errors import DataError
from rnnlab.folders import at_hand, cache_folder, data_folder

LISTED = 10
"""Names that a message lists at most."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is known of a recording without listening to it.

    Attributes:
        name: by which a person finds it, such as its path.
        transcript: the words, separated by single spaces.
        speaker: who speaks; empty where that is not known.
    """

    name: str
    transcript: str
    speaker: str = ""


class SpokenCorpus(Corpus, ABC):
    """Recordings and their transcripts, which serve every task that reads text as documents.

    Attributes:
        sample_rate: samples a second of most recordings; others are resampled.
        reported: error rates that others report on the test split, by what they used.
    """

    labels = ()
    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    sample_rate: int
    reported: ClassVar[Mapping[str, Mapping[str, float]]] = {}

    @abstractmethod
    def utterances(self, split: str) -> Sequence[Utterance]:
        """Return what is said in a split, in the order of :meth:`sounds`.

        Raises:
            DataError: if there is no such split, or the corpus is missing, damaged or wrong.
        """

    @abstractmethod
    def sounds(self, split: str) -> Iterator[Sound]:
        """Yield the sounds of a split.

        Raises:
            DataError: as :meth:`utterances` does, naming the recording.
        """

    def documents(self, split: str) -> Iterator[Document]:
        """Yield the transcripts of one split."""
        for utterance in self.utterances(split):
            yield Document(utterance.transcript)


def spoken_words(text: str, where: str) -> str:
    """Return a transcript with single spaces between its words.

    Raises:
        DataError: if it is empty.
    """
    words = " ".join(text.split())
    if not words:
        raise DataError(f"{where}: the transcript is empty. Leave the recording out, or write what is said.")
    return words


def listed(names: Sequence[str]) -> str:
    """Return the first names and how many more there are.

    >>> listed(["a", "b"]), listed(list("abcdefghijkl"))
    ('a, b', 'a, b, c, d, e, f, g, h, i, j and 2 more')
    """
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return f"{', '.join(names[:LISTED])}{more}"


def archive_at_hand(name: str, url: str) -> Path:
    """Return where an archive lies: in the data folder, else in the cache folder.

    Raises:
        DataError: if it is in neither; says where its publisher keeps it.
    """
    if (found := at_hand(name)) is not None:
        return found
    raise DataError(
        f"{name} is neither in {data_folder()} nor in {cache_folder()}. Fetch it from {url} and put it into "
        "the former (RNNLAB_DATA_DIR names another folder), or choose data=touch_tones, which needs no file."
    )

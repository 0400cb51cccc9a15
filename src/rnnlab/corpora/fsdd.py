"""Free Spoken Digit Dataset (Jackson et al. 2018): six speakers, each digit fifty times, 8 kHz."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from rnnlab.corpora.archives import tar_members
from rnnlab.corpora.corpus import check_at_least, check_split, fingerprint_of
from rnnlab.corpora.sound import Sound, sound_of
from rnnlab.corpora.spoken import SpokenCorpus, Utterance, archive_at_hand
from rnnlab.corpora.text_files import digest_of_file, examined_once
from rnnlab.corpora.touch_tones import DIGITS
from rnnlab.errors import ConfigError, DataError, nearest

ARCHIVE = "free-spoken-digit-dataset.tar.gz"
URL = "https://github.com/Jakobovski/free-spoken-digit-dataset"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TEST_EACH = 5
"""Recordings 0 to 4 of each digit and speaker are the official test split."""
RECORDINGS = 3000

_FILE = re.compile(r"free-spoken-digit-dataset/recordings/(\d)_([a-z]+)_(\d+)\.wav")
_STRINGS = re.compile(r"(\d+)(?:\.\.(\d+))?")
_PAUSES = (0.05, 0.3)  # seconds between two digits of a string


class Take(NamedTuple):
    """One recording: digit, speaker and its number."""

    digit: int
    speaker: str
    number: int

    @property
    def file(self) -> str:
        """Its path in the archive."""
        return f"free-spoken-digit-dataset/recordings/{self.digit}_{self.speaker}_{self.number}.wav"


class FSDD(SpokenCorpus):
    """3,000 recordings of single digits, or strings of them that are put together.

    ``split=official``: recordings 0 to 4 of each digit and speaker are for the test, 5 to 9 for validation.
    ``split=speaker:<name>``: all of a speaker's are for the test, and 0 to 4 of the others for validation.

    Strings are made of one speaker's recordings of one split, each used as often as any other, with a pause
    between two. They have no coarticulation: nobody said them in one breath.

    Args:
        split: ``official`` or ``speaker:<name>``.
        strings: digits of a string, ``3..7`` or ``5``; None for single digits.
        repeats: how often each recording is used for strings.
        seed: draws the strings.

    Raises:
        ConfigError: if a value is unknown or out of range.
    """

    name = "fsdd"
    sample_rate = 8000
    format_version = 1

    def __init__(
        self, split: str = "official", strings: str | int | None = None, repeats: int = 4, seed: int = 0
    ) -> None:
        kind, _, speaker = str(split).partition(":")
        if split != "official" and kind != "speaker":
            choices = ["official", *(f"speaker:{name}" for name in SPEAKERS)]
            raise ConfigError(f"data.corpus.split={split}. {nearest(str(split), choices)}")
        if kind == "speaker" and speaker not in SPEAKERS:
            raise ConfigError(f"data.corpus.split={split}: no such speaker. {nearest(speaker, SPEAKERS)}")
        check_at_least(1, repeats=repeats)
        self._speaker, self._strings = speaker, lengths_of(strings)
        self._repeats, self._seed = repeats, seed

    @property
    def fingerprint(self) -> str:
        """Digest of the archive and of the settings."""
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            content=examined_once(archive_at_hand(ARCHIVE, URL), digest_of_file, self.name),
            speaker=self._speaker,
            strings=self._strings,
            repeats=self._repeats,
            seed=self._seed,
        )

    def utterances(self, split: str) -> Sequence[Utterance]:
        """Return the digits of each recording or string of a split, in words."""
        check_split(self, split)
        return [said_in(takes) for takes in self._takes[split]]

    def sounds(self, split: str) -> Iterator[Sound]:
        """Yield the recordings or strings of a split."""
        check_split(self, split)
        archive, wanted = archive_at_hand(ARCHIVE, URL), self._takes[split]
        files = {take.file for takes in wanted for take in takes}
        contents = dict(
            tar_members(archive, files.__contains__, largest_member=4 << 20, largest_total=1 << 30)
        )
        place = self.splits.index(split)
        for number, takes in enumerate(wanted):
            parts = [sound_of(contents[take.file], f"{archive}: {take.file}").samples for take in takes]
            chance = np.random.default_rng([self._seed, place, number])
            for gap in range(len(parts) - 1, 0, -1):
                pause = int(chance.uniform(*_PAUSES) * self.sample_rate)
                parts.insert(gap, np.zeros(pause, dtype=np.float32))
            yield Sound(np.concatenate(parts), self.sample_rate)

    @cached_property
    def _takes(self) -> dict[str, list[tuple[Take, ...]]]:
        """The takes of each recording or string, by split."""
        single: dict[str, list[Take]] = {split: [] for split in self.splits}
        for take in all_takes():
            single[self._split_of(take)].append(take)
        if self._strings is None:
            return {split: [(take,) for take in takes] for split, takes in single.items()}
        return {split: self._strung(takes, place) for place, (split, takes) in enumerate(single.items())}

    def _split_of(self, take: Take) -> str:
        if self._speaker:
            held_out = take.number < TEST_EACH
            return "test" if take.speaker == self._speaker else "validation" if held_out else "train"
        return ("test", "validation")[take.number // TEST_EACH] if take.number < 2 * TEST_EACH else "train"

    def _strung(self, takes: Sequence[Take], place: int) -> list[tuple[Take, ...]]:
        assert self._strings is not None
        chance, found = np.random.default_rng([self._seed, place, 0, 1]), list[tuple[Take, ...]]()
        for _ in range(self._repeats):
            for speaker in SPEAKERS:
                own = [take for take in takes if take.speaker == speaker]
                order = [own[number] for number in chance.permutation(len(own)).tolist()]
                while order:
                    length = int(chance.integers(self._strings[0], self._strings[1] + 1))
                    found.append(tuple(order[:length]))
                    order = order[length:]
        return found


def said_in(takes: Sequence[Take]) -> Utterance:
    """Return what is said in a recording or string."""
    name = "+".join(f"{take.digit}_{take.speaker}_{take.number}" for take in takes)
    return Utterance(name, " ".join(DIGITS[take.digit] for take in takes), takes[0].speaker)


def all_takes() -> list[Take]:
    """Return every recording of the archive, by digit, speaker and number.

    Raises:
        DataError: if it is not the published archive of 3,000.
    """
    archive, found = archive_at_hand(ARCHIVE, URL), list[Take]()

    def note(name: str) -> bool:
        match = _FILE.fullmatch(name)
        if match:
            found.append(Take(int(match[1]), match[2], int(match[3])))
        return False

    for _ in tar_members(archive, note, largest_member=4 << 20, largest_total=1 << 30):
        pass
    if len(found) != RECORDINGS or {take.speaker for take in found} != set(SPEAKERS):
        raise DataError(
            f"{archive} holds {len(found):,} recordings; expected {RECORDINGS:,} of {', '.join(SPEAKERS)}."
        )
    return sorted(found)


def lengths_of(strings: str | int | None) -> tuple[int, int] | None:
    """Return the fewest and the most digits of a string.

    >>> lengths_of("3..7"), lengths_of(5), lengths_of(None)
    ((3, 7), (5, 5), None)

    Raises:
        ConfigError: if it is written otherwise.
    """
    if strings is None:
        return None
    match = _STRINGS.fullmatch(str(strings))
    ends = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= ends[0] <= ends[1]:
        raise ConfigError(
            f"data.corpus.strings={strings}: expected digits of a string, such as 3..7, or null."
        )
    return ends

"""CMU's Census database AN4 (Acero 1993): spelled names, numbers and dates over a close microphone."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from random import Random
from typing import ClassVar

from rnnlab.corpora.archives import tar_members
from rnnlab.corpora.corpus import check_split, fingerprint_of
from rnnlab.corpora.sound import Sound, sound_of
from rnnlab.corpora.spoken import SpokenCorpus, Utterance, archive_at_hand, listed, spoken_words
from rnnlab.corpora.text_files import digest_of_file, examined_once
from rnnlab.errors import ConfigError, DataError

ARCHIVE = "an4_sphere.tar.gz"
URL = f"http://www.speech.cs.cmu.edu/databases/an4/{ARCHIVE}"
SIZES = {"train": 948, "test": 130}
"""Recordings that the publisher's lists name."""

_LINE = re.compile(r"(?:<s>)?(.*?)(?:</s>)?\s*\(([^()\s]+)\)\s*")
_LIMITS = {"largest_member": 8 << 20, "largest_total": 1 << 30}


class AN4(SpokenCorpus):
    """948 training recordings of 74 speakers and 130 test recordings of 10 others, 16 kHz, in lower case.

    The validation split is cut out of the training recordings by speaker: all that a held-out speaker says
    goes there. The archive ``an4_sphere.tar.gz`` lies in the data folder or the cache folder and is read as
    it is, never unpacked to disk.

    Args:
        validation_speakers: how many training speakers are held out.
        seed: draws them.

    Raises:
        ConfigError: if none is held out, or none is left.
    """

    name = "an4"
    sample_rate = 16_000
    format_version = 1
    speakers = 74
    reported: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "Deep Speech 2's code, the best": {"wer": 0.096},
        "Deep Speech 2's code, the worst": {"wer": 0.147},
        "ESPnet": {"wer": 0.074},
        "Kaldi": {"wer": 0.0595},
    }

    def __init__(self, validation_speakers: int = 6, seed: int = 0) -> None:
        if not 1 <= validation_speakers < self.speakers:
            raise ConfigError(
                f"data.corpus.validation_speakers={validation_speakers}: expected 1 to {self.speakers - 1}."
            )
        self.validation_speakers, self.seed = validation_speakers, seed

    @property
    def held_out(self) -> Mapping[str, float]:
        """The share of the training speakers whose recordings are for validation."""
        return {"validation": self.validation_speakers / self.speakers}

    @property
    def fingerprint(self) -> str:
        """Digest of the archive and of the settings."""
        return fingerprint_of(
            name=self.name,
            version=self.format_version,
            content=examined_once(archive_at_hand(ARCHIVE, URL), digest_of_file, self.name),
            validation_speakers=self.validation_speakers,
            seed=self.seed,
        )

    def utterances(self, split: str) -> Sequence[Utterance]:
        """Return what is said in a split, in the order of the publisher's lists."""
        check_split(self, split)
        return list(self._members[split].values())

    def sounds(self, split: str) -> Iterator[Sound]:
        """Yield the recordings of a split."""
        check_split(self, split)
        names = list(self._members[split])
        contents = read_all(names)
        for name in names:
            yield sound_of(contents.pop(name), f"{archive_at_hand(ARCHIVE, URL)}: {name}")

    @cached_property
    def _members(self) -> dict[str, dict[str, Utterance]]:
        """What is said in each of the archive's files, by split."""
        lists = [f"an4/etc/an4_{part}.{kind}" for part in SIZES for kind in ("fileids", "transcription")]
        texts = {name: content.decode("utf-8") for name, content in read_all(lists).items()}
        train, test = (
            utterances_of(texts[lists[2 * number]], texts[lists[2 * number + 1]], part)
            for number, part in enumerate(SIZES)
        )
        speakers = sorted({utterance.speaker for utterance in train.values()})
        held_out = Random(self.seed).sample(speakers, min(self.validation_speakers, len(speakers) - 1))
        return {
            "train": {name: said for name, said in train.items() if said.speaker not in held_out},
            "validation": {name: said for name, said in train.items() if said.speaker in held_out},
            "test": test,
        }


def read_all(names: Collection[str]) -> dict[str, bytes]:
    """Return the content of some of the archive's files.

    Raises:
        DataError: if the archive is missing, damaged, unsafe, or lacks one.
    """
    archive, wanted = archive_at_hand(ARCHIVE, URL), set(names)
    found = dict(tar_members(archive, wanted.__contains__, **_LIMITS))
    if missing := sorted(wanted - set(found)):
        raise DataError(f"{archive} lacks {len(missing):,} of the files it should hold: {listed(missing)}.")
    return found


def utterances_of(ids: str, transcription: str, part: str) -> dict[str, Utterance]:
    """Return what is said in each file of a published list.

    Args:
        ids: a line a file: ``folder/speaker/name``.
        transcription: in the same order, ``<s> WORDS </s> (name)``.
        part: ``train`` or ``test``.

    Raises:
        DataError: if the lists are not the publisher's.
    """
    paths, lines = ids.split(), transcription.splitlines()
    if not len(paths) == len(lines) == SIZES[part]:
        raise DataError(
            f"{ARCHIVE}: an4_{part} lists {len(paths):,} files and {len(lines):,} transcripts; the published "
            f"one has {SIZES[part]:,}."
        )
    found: dict[str, Utterance] = {}
    for number, (path, line) in enumerate(zip(paths, lines, strict=True), start=1):
        parts, match = path.split("/"), _LINE.fullmatch(line)
        if len(parts) != 3 or match is None or match[2] != parts[-1]:
            raise DataError(f"{ARCHIVE}: line {number} of an4_{part}.transcription is not of {path[:80]!a}.")
        words = spoken_words(match[1].lower(), f"{ARCHIVE}, an4_{part}.transcription, line {number}")
        found[f"an4/wav/{path}.sph"] = Utterance(path, words, parts[1])
    return found

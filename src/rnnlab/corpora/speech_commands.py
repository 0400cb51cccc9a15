"""Speech Commands (Warden 2018): single words of thousands of speakers, 16 kHz, as it is published."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from rnnlab.corpora.corpus import check_split, fingerprint_of
from rnnlab.corpora.sound import Sound, sound_of
from rnnlab.corpora.spoken import SpokenCorpus, Utterance
from rnnlab.corpora.text_files import decoded_lines, digest_once
from rnnlab.errors import DataError
from rnnlab.folders import at_hand, cache_folder, data_folder

FOLDER = "speech_commands_v0.02"
URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
NOISE = "_background_noise_"


class SpeechCommands(SpokenCorpus):
    """Recordings of one word each, in a folder by its name; the publisher's lists tell the splits by speaker.

    The unpacked archive is looked for in the data folder, then in the cache folder.

    Args:
        folder: its name, or its path.
        words: those that are used; None for all.
    """

    name = "speech_commands"
    sample_rate = 16_000
    format_version = 1

    def __init__(self, folder: str = FOLDER, words: Sequence[str] | None = None) -> None:
        self._named, self._words = folder, None if words is None else tuple(words)

    @property
    def fingerprint(self) -> str:
        """Digest of every recording and of the settings; read once, then remembered by the files' states."""
        files = [self._folder / name for split in self.splits for name in self._names[split]]
        content = digest_once(files, self._folder / LISTS["test"])
        return fingerprint_of(name=self.name, version=self.format_version, content=content, names=self._names)

    def utterances(self, split: str) -> Sequence[Utterance]:
        """Return the word of each recording of a split."""
        check_split(self, split)
        return [
            Utterance(name, name.partition("/")[0], name.partition("/")[2].partition("_")[0])
            for name in self._names[split]
        ]

    def sounds(self, split: str) -> Iterator[Sound]:
        """Yield the recordings of a split."""
        check_split(self, split)
        for name in self._names[split]:
            yield sound_of((self._folder / name).read_bytes(), str(self._folder / name))

    @cached_property
    def _folder(self) -> Path:
        if (found := at_hand(Path(self._named, LISTS["test"]))) is not None:
            return found.parent
        raise DataError(
            f"{self._named}/{LISTS['test']} is neither in {data_folder()} nor in {cache_folder()}. Fetch "
            f"{URL} and unpack it into {data_folder() / FOLDER}, or choose data=touch_tones, which needs "
            "no file."
        )

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """The recordings' paths in the folder, by split."""
        listed = {
            split: {line.strip() for _, line in decoded_lines(self._folder / file)}
            for split, file in LISTS.items()
        }
        found: dict[str, list[str]] = {split: [] for split in self.splits}
        for file in sorted(self._folder.glob("*/*.wav")):
            name, word = file.relative_to(self._folder).as_posix(), file.parent.name
            if word != NOISE and (self._words is None or word in self._words):
                split = next((split for split, names in listed.items() if name in names), "train")
                found[split].append(name)
        for split, names in found.items():
            if not names:
                raise DataError(f"{self._folder} has no {split} recordings of the words asked for.")
        return found

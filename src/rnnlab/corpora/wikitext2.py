"""WikiText-2 (Merity et al. 2016, arXiv:1609.07843): good and featured Wikipedia articles, 33,278 types."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rnnlab.corpora.archives import zip_member
from rnnlab.corpora.download import published_file
from rnnlab.corpora.published_lines import Published, PublishedLines
from rnnlab.corpora.text_files import examined_once

ARCHIVE = "wikitext-2-v1.zip"
URL = f"https://wikitext.smerity.com/{ARCHIVE}"
MD5 = "542ccefacc6c27f945fb54453812b3cd"

_MEMBER_OF = {
    "train": "wikitext-2/wiki.train.tokens",
    "validation": "wikitext-2/wiki.valid.tokens",
    "test": "wikitext-2/wiki.test.tokens",
}


class WikiText2(PublishedLines):
    """Articles with their case, punctuation and numbers, rare words as ``<unk>``; a document a line.

    Lines are headings, paragraphs and the empty lines between them, all of which the literature counts.

    The archive ``wikitext-2-v1.zip`` lies in the data folder, else in the cache folder, else it is downloaded
    (from its first author's site) and must have the known MD5. It is never unpacked to disk.
    """

    name = "wikitext2"
    published: ClassVar[Mapping[str, Published]] = {
        "train": Published(36_718, 2_088_628, 33_278),
        "validation": Published(3_760, 217_646, 13_777, "d756d22ab2310e7e60c094bea5c5a8eb"),
        "test": Published(4_358, 245_569, 14_143, "781c9418ab9414bd09e4aad825aae752"),
    }

    def _content(self, split: str) -> bytes:
        return zip_member(_archive(), _MEMBER_OF[split], largest_member=64 << 20)

    def _examined(self) -> list[str]:
        def examine(path: Path) -> str:
            digests = []
            for split, member in _MEMBER_OF.items():
                content = zip_member(path, member, largest_member=64 << 20)
                digests.append(self._checked(split, content, f"{path}: {member}"))
            return json.dumps(digests)

        digests: list[str] = json.loads(
            examined_once(_archive(), examine, f"{self.name} {self.format_version}")
        )
        return digests


def _archive() -> Path:
    return published_file(ARCHIVE, URL, md5=MD5, largest=16 << 20)

"""A review archive in the publisher's layout, of invented text; two words tell the classes apart."""

import io
import random
import tarfile
from pathlib import Path

REVIEWS = 40
"""In each of the labelled folders."""


def write_archive(folder: Path) -> Path:
    """Write ``aclImdb_v1.tar.gz`` with reviews of 1 to 60 words."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "aclImdb_v1.tar.gz"
    draw = random.Random(0)
    with tarfile.open(target, "w:gz") as archive:
        for name in ("train/neg", "train/pos", "test/neg", "test/pos", "train/unsup"):
            for number in range(REVIEWS):
                words = draw.choices(["lamp", "river", "stone", "cloud", "paper"], k=draw.randint(0, 59))
                mark = {"neg": "dull", "pos": "bright"}.get(name[-3:], "plain")
                content = " ".join([mark, *words]).encode()
                stars = {"neg": 2, "pos": 9}.get(name[-3:], 0)
                entry = tarfile.TarInfo(f"aclImdb/{name}/{number}_{stars}.txt")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return target

"""Cut splits out of train: seeded, stratified by class, the same on every machine."""

import hashlib
from collections import defaultdict
from collections.abc import Container, Hashable, Mapping, Sequence
from random import Random

from rnnlab.errors import ConfigError


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Check that each share is above 0 and that together they leave something to train on.

    Raises:
        ConfigError: naming the setting and its value.
    """
    for name, fraction in fractions.items():
        if not 0 < fraction < 1:
            raise ConfigError(
                f"data.corpus.{name} is {fraction}; it is a share of train, above 0 and below 1."
            )
    if sum(fractions.values()) >= 1:
        asked = " and ".join(f"data.corpus.{name} {fraction}" for name, fraction in fractions.items())
        raise ConfigError(f"{asked} leave nothing to train on: together they must stay below 1.")


def held_out_of(given: Container[str], validation_fraction: float, test_fraction: float) -> dict[str, float]:
    """Return the splits that are cut out of train, as nothing is given for them, and their share of it.

    Args:
        given: the splits that something is given for.
        validation_fraction: share of train for validation.
        test_fraction: share of train for the test.

    Raises:
        ConfigError: if a share that is needed makes no sense, or too little is left to train on.
    """
    shares = {"validation": validation_fraction, "test": test_fraction}
    held_out = {split: share for split, share in shares.items() if split not in given}
    check_fractions({f"{split}_fraction": share for split, share in held_out.items()})
    return held_out


def split_by_class(
    classes: Sequence[Hashable],
    fractions: Mapping[str, float],
    seed: int,
    texts: Sequence[Hashable] | None = None,
) -> list[str]:
    """Return for each item the name of its split: one of ``fractions``, or ``train``.

    Of every class each split gets its share, rounded, but at least one item where that still leaves one to
    train on. Items of a class are drawn by ``random.Random(seed).random()``, whose sequence Python promises
    to keep, so the same seed gives the same splits on every machine and version.

    Copies of a text stay together: they are drawn as the first of them, and one that has more copies than
    a split has room for is passed over, unless the split would stay empty. A class that has not a text for
    each split is drawn item by item. Without copies the splits are those that are drawn without ``texts``.

    Args:
        classes: of each item.
        fractions: the share of each split that is cut out.
        seed: of the draw.
        texts: of each item what is equal for copies; None where there are none.
    """
    random = Random(seed)
    draws = [random.random() for _ in classes]
    followers: dict[Hashable, list[int]] = defaultdict(list)
    for index, text in enumerate(texts or range(len(classes))):
        followers[text].append(index)
    members: dict[Hashable, list[list[int]]] = defaultdict(list)
    for copies in followers.values():
        members[classes[copies[0]]].append(copies)
    assigned = ["train"] * len(classes)
    for groups in members.values():
        size = sum(map(len, groups))
        if len(groups) <= len(fractions) < size:
            groups = [[index] for copies in groups for index in copies]
        groups.sort(key=lambda copies: draws[copies[0]])
        has_copies = len(groups) < size
        for number, (split, fraction) in enumerate(fractions.items(), start=1):
            left = len(fractions) - number + 1 if has_copies else 1
            for copies in _chosen(groups, max(1, round(fraction * size)), left):
                for index in copies:
                    assigned[index] = split
            groups = [copies for copies in groups if assigned[copies[0]] == "train"]
    return assigned


def _chosen(groups: Sequence[list[int]], room: int, left: int) -> list[list[int]]:
    """Return those that fill a split, in their order: one at least, if so many can be left to others."""
    chosen: list[list[int]] = []
    most = max(0, len(groups) - left)
    for copies in groups:
        if not room or len(chosen) == most:
            break
        if len(copies) <= room:
            chosen.append(copies)
            room -= len(copies)
    return chosen if chosen or not most else [min(groups, key=len)]


def text_key(text: str) -> bytes:
    """Return what is equal for copies of a text: those that differ in case and white space alone."""
    read_alike = " ".join(text.split()).casefold()
    return hashlib.blake2b(read_alike.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def texts_of(split: str, texts: Sequence[bytes], splits: Sequence[str]) -> list[bytes]:
    """Return the keys of a split's texts, given those of all and the split of each."""
    return [text for text, its_split in zip(texts, splits, strict=True) if its_split == split]


def known_texts(texts: Sequence[bytes], trained: Container[bytes], split: str, remedy: str) -> list[str]:
    """Return a sentence if texts of a split are in train, too.

    Args:
        texts: their keys.
        trained: the keys of train's texts.
        split: the name of theirs.
        remedy: a sentence on what to do.
    """
    known = sum(text in trained for text in texts)
    if not known:
        return []
    return [
        f"{known:,} of the {len(texts):,} {split} texts are in train, too, so that a model can know them by "
        f"heart. {remedy}"
    ]

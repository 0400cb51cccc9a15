"""Cut splits out of train: seeded, stratified by class, the same on every machine."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
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


def split_by_class(classes: Sequence[Hashable], fractions: Mapping[str, float], seed: int) -> list[str]:
    """Return for each item the name of its split: one of ``fractions``, or ``train``.

    Of every class each split gets its share, rounded, but at least one item where that still leaves one to
    train on. Items of a class are drawn by ``random.Random(seed).random()``, whose sequence Python promises
    to keep, so the same seed gives the same splits on every machine and version.
    """
    random = Random(seed)
    draws = [random.random() for _ in classes]
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index, name in enumerate(classes):
        members[name].append(index)
    assigned = ["train"] * len(classes)
    for indices in members.values():
        indices.sort(key=draws.__getitem__)
        start = 0
        for split, fraction in fractions.items():
            count = min(max(1, round(fraction * len(indices))), len(indices) - start - 1)
            for index in indices[start : start + count]:
                assigned[index] = split
            start += count
    return assigned

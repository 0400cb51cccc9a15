"""Which keys of the configuration tell runs apart, and how they are called in short."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from rnnlab.errors import ConfigError, nearest

ABSENT = ""
"""Stands where a run's configuration lacks a key."""
ASIDE = ("seed", "fold", "resume", "tags")
"""Keys that make no other experiment of a run."""
FINGERPRINT = "fingerprint."
"""What keys begin with that tell what a run was made from; runs of two corpora are never averaged."""

Config = Mapping[str, Any]


def differing_keys(configs: Sequence[Config]) -> list[str]:
    """Return the keys whose values differ, in the configurations' order, without those that only follow.

    A key follows if without it the remaining ones still tell the same runs apart, and it says nothing of its
    own: the class that a choice names (``_target_``), a fingerprint that goes with a setting, an option that
    some choices have and others have not, with one value wherever it is, or what another key of the same name
    says already.
    """
    every = dict.fromkeys(key for config in configs for key in config)
    kept = [key for key in every if key not in ASIDE and len(values_of(key, configs)) > 1]
    told = groups_told(kept, configs)
    droppable = [key for key in kept if follows(key, configs) or repeats(key, kept, configs)]
    for key in sorted(
        droppable, key=lambda key: not key.startswith(FINGERPRINT)
    ):  # a person reads the others
        others = [other for other in kept if other != key]
        if groups_told(others, configs) == told:
            kept = others
    return kept


def parting_keys(keys: Sequence[str], configs: Sequence[Config]) -> list[str]:
    """Return the fingerprints that tell runs apart which the keys do not: of two corpora, or two codes."""
    every = dict.fromkeys(key for config in configs for key in config if key.startswith(FINGERPRINT))
    told = groups_told(keys, configs)
    return [key for key in every if groups_told([*keys, key], configs) > told]


def follows(key: str, configs: Sequence[Config]) -> bool:
    """Return whether a key says nothing that is not said by another's choice."""
    found = values_of(key, configs)
    return key.endswith("_target_") or key.startswith(FINGERPRINT) or (ABSENT in found and len(found) == 2)


def repeats(key: str, keys: Sequence[str], configs: Sequence[Config]) -> bool:
    """Return whether a key above has the same name and, in each run, the same value."""
    above = [
        other
        for other in keys
        if other.count(".") < key.count(".") and other.rpartition(".")[2] == key.rpartition(".")[2]
    ]
    return any(all(row_of(config, [other]) == row_of(config, [key]) for config in configs) for other in above)


def groups_told(keys: Sequence[str], configs: Sequence[Config]) -> int:
    """Return how many kinds of runs the keys tell apart."""
    return len({row_of(config, keys) for config in configs})


def values_of(key: str, configs: Iterable[Config]) -> set[Hashable]:
    """Return the values of a key that occur, ``ABSENT`` among them where a run lacks it."""
    return {comparable(config.get(key, ABSENT)) for config in configs}


def row_of(config: Config, keys: Sequence[str]) -> tuple[Hashable, ...]:
    """Return a configuration's values of some keys, to compare."""
    return tuple(comparable(config.get(key, ABSENT)) for key in keys)


def comparable(value: Any) -> Hashable:
    """Return a value that is equal for equal settings only: ``1``, ``1.0`` and ``True`` are three.

    >>> comparable(1) == comparable(True), comparable([1, 2]) == comparable([1, 2])
    (False, True)
    """
    return ABSENT if value == ABSENT and isinstance(value, str) else (type(value).__name__, repr(value))


def short_names(keys: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """Return the shortest end of each key that no other known key has.

    >>> short_names(["model.layers", "model.dropout"], ["model.layers", "model.dropout", "task.dropout"])
    {'model.layers': 'layers', 'model.dropout': 'model.dropout'}
    """
    ends: dict[str, int] = {}
    for key in {*known, *keys}:
        for end in endings(key):
            ends[end] = ends.get(end, 0) + 1
    return {key: next((end for end in endings(key) if ends[end] == 1), key) for key in keys}


def endings(key: str) -> list[str]:
    """Return a dotted key's ends, the shortest first.

    >>> endings("data.corpus.train")
    ['train', 'corpus.train', 'data.corpus.train']
    """
    parts = key.split(".")
    return [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]


def full_name(word: str, known: Iterable[str], also: Sequence[str] = ()) -> str:
    """Return the key that a word means: its name in full, or an end that only one key has.

    Args:
        word: as typed.
        known: the keys.
        also: what else may be typed there, for the error.

    Raises:
        ConfigError: if there is none, or several.
    """
    names = list(dict.fromkeys(known))
    if word in names:
        return word
    ended = [name for name in names if word in endings(name)]
    if len(ended) == 1:
        return ended[0]
    if ended:
        raise ConfigError(f"{word} is short for several keys: {', '.join(ended)}. Write one in full.")
    ends = [end for name in names for end in endings(name)]
    choices = nearest(word, [*ends, *also], listed=[*also, *names])
    raise ConfigError(f"{word}: no run has such a key. {choices}")

"""What the words of a sweep's job tell of a run that has no configuration yet."""

from collections.abc import Mapping, Sequence
from typing import Any

from rnnlab.files.plain_file import NotPlainError, parsed_yaml

Config = Mapping[str, Any]


def told_by_words(words: Sequence[str], siblings: Sequence[tuple[Sequence[str], Config]]) -> dict[str, Any]:
    """Return the dotted keys that a job's words set.

    A word such as ``model=gru`` chooses a file of settings: they are taken from a sibling with the same word,
    as far as all of those agree.

    Args:
        words: of the job, such as ``["model=gru", "optimizer.lr=0.1"]``.
        siblings: words and configurations of the sweep's other jobs.

    >>> told_by_words(["model=gru", "seed=2"], [(["model=gru", "seed=1"], {"model.cell": "gru", "seed": 1})])
    {'model.cell': 'gru', 'seed': 2}
    """
    found: dict[str, Any] = {}
    for word in words:
        key, _, text = word.lstrip("+~").partition("=")
        alike = [config for others, config in siblings if word in others]
        within = {name for config in alike for name in config if name.startswith(f"{key}.")}
        for name in sorted(within):
            values = [config.get(name) for config in alike]
            if all(value == values[0] for value in values):
                found[name] = values[0]
        if not within and not is_choice(key, siblings):
            found[key] = plain(text)
    # What is typed for a key itself stands above what a chosen file says.
    typed = dict(word.lstrip("+~").partition("=")[::2] for word in words)
    return {name: plain(typed[name]) if name in typed else value for name, value in found.items()}


def is_choice(key: str, siblings: Sequence[tuple[Sequence[str], Config]]) -> bool:
    """Return whether a key chooses a file of settings, as ``model`` does."""
    return any(name.startswith(f"{key}.") for _, config in siblings for name in config)


def plain(text: str) -> Any:
    """Return the value that a text spells; what YAML takes for a text although it is a number is one.

    >>> plain("1e-3"), plain("gru"), plain("null")
    (0.001, 'gru', None)
    """
    try:
        value = parsed_yaml(text)
    except NotPlainError:
        return text
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value

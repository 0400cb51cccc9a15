"""``key=value`` words as the fields of a dataclass, for commands whose values are free text.

Hydra reads commas, braces and quotes in a value as its own grammar; a prompt or a review is full of them.
Light on purpose: nothing here imports torch, so that ``--help`` answers at once.
"""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any, TypeVar, get_args, get_type_hints

import yaml

from rnnlab.errors import ConfigError, nearest

Arguments = TypeVar("Arguments")


def option(help_text: str, default: Any = dataclasses.MISSING) -> Any:
    """Return a dataclass field with a line of help; without a default it must be given."""
    return dataclasses.field(default=default, metadata={"help": help_text})


def parsed(kind: type[Arguments], words: Sequence[str]) -> Arguments:
    """Return ``kind`` with its fields taken from ``words``; ``--help`` prints them and exits.

    Args:
        kind: a dataclass of ``str``, ``int``, ``float``, ``bool`` and such or ``None``, its fields made by
            :func:`option`. Its docstring is the head of the help.
        words: such as ``temperature=0.8``. What follows the first ``=`` of a text is taken to the letter.

    Raises:
        ConfigError: if a word has no ``=``, a key is unknown, given twice or lacking, or a value is of
            another type.
    """
    if {"--help", "-h"} & set(words):
        print(help_text(kind))
        sys.exit(0)
    types = get_type_hints(kind)
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"{word}: expected key=value. All keys: --help.")
        if key not in types:
            raise ConfigError(f"{key}: there is no such key. {nearest(key, types)} All keys: --help.")
        if key in found:
            raise ConfigError(f"{key} is given twice.")
        found[key] = value_of(key, text, get_args(types[key]) or (types[key],))
    lacking = [field.name for field in fields(kind) if field.default is dataclasses.MISSING]
    lacking = [name for name in lacking if name not in found]
    if lacking:
        raise ConfigError(f"Needed: {', '.join(f'{name}=…' for name in lacking)}. All keys: --help.")
    return kind(**found)


def value_of(key: str, text: str, kinds: Sequence[type]) -> Any:
    """Return the value that ``text`` spells, as one of ``kinds``.

    >>> value_of("top_k", "40", (int, type(None))), value_of("prompt", "Hello, 40", (str,))
    (40, 'Hello, 40')

    Raises:
        ConfigError: if it spells something else.
    """
    if str in kinds:
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in kinds:
        wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
        raise ConfigError(f"{key}={text}: expected {wanted}.")
    return value


def help_text(kind: type) -> str:
    """Return the docstring of ``kind`` and a line for each key."""
    lines = [(kind.__doc__ or "").strip(), "", "Keys:"]
    for field in fields(kind):
        needed = field.default is dataclasses.MISSING
        shown = "needed" if needed else "null" if field.default is None else repr(field.default)
        lines.append(f"  {field.name:<16} {field.metadata['help']} ({shown})")
    return "\n".join(lines)


def fields(kind: type) -> Sequence[dataclasses.Field[Any]]:
    """Return the fields of a dataclass."""
    return dataclasses.fields(kind)

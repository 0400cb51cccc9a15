"""``key=value`` words as the fields of a dataclass, for commands whose values are free text.

Hydra reads commas, braces and quotes in a value as its own grammar; a prompt or a review is full of them.
Light on purpose: nothing here imports torch, so that ``--help`` answers at once.
"""

import dataclasses
import inspect
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, TypeVar, get_args, get_type_hints

from rnnlab.errors import ConfigError, nearest
from rnnlab.files.plain_file import NotPlainError, parsed_yaml
from rnnlab.folders import as_typed
from rnnlab.ranges import Range, check_ranges, typed_value
from rnnlab.synonyms import asked_here

Arguments = TypeVar("Arguments")

WIDTH = 80
"""Columns of a terminal that a help fits into."""
DEVICES = ("auto", "cpu", "gpu", "cuda")


def option(
    help_text: str,
    default: Any = dataclasses.MISSING,
    *,
    within: Range | None = None,
    of: Sequence[str] = (),
) -> Any:
    """Return a dataclass field with a line of help.

    Args:
        help_text: the line.
        default: without one the field must be given.
        within: the numbers that make sense.
        of: the words to choose from, if not any will do.
    """
    return dataclasses.field(default=default, metadata={"help": help_text, "within": within, "of": of})


def parsed(kind: type[Arguments], words: Sequence[str]) -> Arguments:
    """Return ``kind`` with its fields taken from ``words``; ``--help`` prints them and exits.

    Args:
        kind: a dataclass of ``str``, ``int``, ``float``, ``bool`` and such or ``None``, its fields made by
            :func:`option`. Its docstring is the head of the help.
        words: such as ``temperature=0.8``. What follows the first ``=`` of a text is taken to the letter.

    Raises:
        ConfigError: if a word has no ``=``, a key is unknown, given twice or lacking, or a value is of
            another type, or makes no sense.
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
            hint = asked_here(key, types) or nearest(key, types)
            raise ConfigError(f"{key}: there is no such key. {hint} All keys: --help.")
        if key in found:
            raise ConfigError(f"{key} is given twice.")
        found[key] = value_of(key, text, get_args(types[key]) or (types[key],))
        allowed = next(field.metadata for field in fields(kind) if field.name == key)
        check_ranges({key: found[key]}, {key: allowed["within"]} if allowed["within"] else {})
        if allowed["of"] and found[key] is not None and found[key] not in allowed["of"]:
            raise ConfigError(f"{key}={found[key]} is unknown. {nearest(found[key], allowed['of'])}")
    lacking = [field.name for field in fields(kind) if field.default is dataclasses.MISSING]
    lacking = [name for name in lacking if name not in found]
    if lacking:
        raise ConfigError(f"Needed: {', '.join(f'{name}=…' for name in lacking)}. All keys: --help.")
    return kind(**found)


def task_keys(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the keys ``task.…`` among words, without that beginning, with their values; and the other words.

    >>> task_keys(["run=a", "task.decoding.beam=8", "task.decoding.lm=null"])
    ({'decoding.beam': 8, 'decoding.lm': None}, ['run=a'])
    """
    found: dict[str, Any] = {}
    for word in (word for word in words if word.startswith("task.")):
        key, _, text = word.removeprefix("task.").partition("=")
        try:
            found[key] = parsed_yaml(text)
        except NotPlainError:
            found[key] = text
    return found, [word for word in words if not word.startswith("task.")]


def value_of(key: str, text: str, kinds: Sequence[type]) -> Any:
    """Return the value that ``text`` spells, as one of ``kinds``.

    >>> value_of("top_k", "40", (int, type(None))), value_of("prompt", "Hello, 40", (str,))
    (40, 'Hello, 40')
    >>> value_of("output", "null", (str, type(None))), value_of("prompt", "null", (str,))
    (None, 'null')

    Raises:
        ConfigError: if it spells something else.
    """
    if text == "null" and type(None) in kinds:
        return None
    if str in kinds:
        return text
    try:
        value = parsed_yaml(text)
    except NotPlainError:
        value = text
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in kinds:
        wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
        raise ConfigError(f"{key}={text[:80]}: expected {wanted}.")
    return value


def help_text(kind: type) -> str:
    """Return what a command is for, its examples and a line for each key.

    Args:
        kind: a dataclass whose docstring is a sentence, and below an empty line the examples.
    """
    purpose, _, examples = as_typed(inspect.cleandoc(kind.__doc__ or "")).partition("\n\n")
    lines = [purpose, ""]
    if examples:
        lines += ["Examples:", textwrap.indent(examples, "  "), ""]
    lines.append("Keys (key=value):")
    width = 4 + max(len(field.name) for field in fields(kind))
    for field in sorted(fields(kind), key=lambda field: field.default is not dataclasses.MISSING):
        told = f"{field.metadata['help']} ({shown_default(field.default)})"
        begin, further = f"  {field.name}".ljust(width), " " * width
        lines.append(textwrap.fill(told, WIDTH, initial_indent=begin, subsequent_indent=further))
    return "\n".join(lines)


def shown_default(value: Any) -> str:
    """Return a default as a person would type it.

    >>> shown_default(None), shown_default(False), shown_default("auto"), shown_default("")
    ('null', 'false', 'auto', 'nothing')
    """
    if value is dataclasses.MISSING:
        return "needed"
    return typed_value(value) or "nothing"


def fields(kind: type) -> Sequence[dataclasses.Field[Any]]:
    """Return the fields of a dataclass."""
    return dataclasses.fields(kind)

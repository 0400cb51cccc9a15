"""YAML out of files and words: bounded before anything is built of it, plain, of the expected shape."""

import re
from pathlib import Path
from typing import Any

import yaml

from rnnlab.files.bounded import damaged, reason_of, text_of
from rnnlab.files.shapes import DEEPEST, NotPlainError, Shape, check_plain, check_shape

LARGEST = 4 << 20
"""Bytes of a configuration or of a sweep's list of jobs: ten thousand jobs have 2 MB."""
MOST = 500_000
"""Values that a file may unfold to, what is repeated by aliases included."""
_LONGEST_NUMBER = 1000
# libyaml's parser where PyYAML was built with it: ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Half a surrogate pair, escaped: libyaml refuses it, and no text should hold it.
_HALF_A_LETTER = re.compile(r"(?<!\\)((?:\\\\)*)\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def read_yaml(path: Path, shape: Shape, *, largest: int = LARGEST, mend: str = "") -> Any:
    """Return what a YAML file holds.

    Args:
        path: the file.
        shape: of its content, as :data:`rnnlab.files.shapes.Shape` says.
        largest: bytes that it can have.
        mend: a sentence on what to do if it is damaged.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: if it is no YAML, too large, too deep, unfolds to too much, or is of another shape.
    """
    try:
        content = parsed_yaml(text_of(path, largest, mend))
        check_shape(content, shape)
    except NotPlainError as error:
        raise damaged(path, error, mend) from error
    return content


def parsed_yaml(text: str) -> Any:
    """Return the value that a YAML text spells; no alias may make much of little.

    >>> parsed_yaml("layers: 2")
    {'layers': 2}

    Raises:
        NotPlainError: if it is no YAML, nested too deep, unfolds to too much, or is more than plain data.
    """
    text = _HALF_A_LETTER.sub(r"\1\\uFFFD", text)
    try:
        check_extent(text)
        value = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place else ""
        raise NotPlainError(
            f"it is no YAML{where} ({getattr(error, 'problem', None) or reason_of(error)})"
        ) from error
    except NotPlainError:
        raise
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError) as error:
        # What PyYAML says of values that are not what their tag calls them.
        raise NotPlainError(f"it holds a value that is none ({reason_of(error)})") from error
    check_plain(value, MOST)
    return value


def check_extent(text: str) -> None:
    """Check how deep YAML is nested and how much it unfolds to, before any of it is built.

    Raises:
        NotPlainError: if that is too much, or an alias stands within what it names.
        yaml.YAMLError: if it is no YAML.
    """
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []  # anchor, and how many values came before it
    count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            sizes.update({anchor: count - before} if anchor else {})
        elif isinstance(event, yaml.ScalarEvent):
            sizes.update({event.anchor: 1} if event.anchor else {})
            count += 1
            if len(event.value) > _LONGEST_NUMBER and re.fullmatch(r"[-+.:_0-9a-fxoA-F]+", event.value):
                raise NotPlainError("it holds a number of hundreds of digits")
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in opened):
                raise NotPlainError("it holds a list or mapping that is within itself")
            count += sizes.get(event.anchor or "", 1)
        if len(opened) > DEEPEST:
            raise NotPlainError(f"its lists and mappings are nested deeper than {DEEPEST} levels")
        if count > MOST:
            raise NotPlainError(f"it unfolds to more than {MOST:,} values")

"""Plain data out of YAML and JSON files: bounded before it is built, and of the expected shape."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from rnnlab.files.bounded import damaged, reason_of, text_of
from rnnlab.visible import well_formed

Shape = Any
"""A type or a tuple of types; ``[shape]``, a list; ``{str: shape}``, a mapping of any keys; ``{"key": shape,
"other?": shape}``, a mapping of these, and of others that are not looked at. What has a question mark may be
absent or null."""

NUMBER = (int, float)
DEEPEST = 64
"""Lists and mappings within one another."""
MOST = 2_000_000
"""Values in one file."""
LARGEST_INTEGER = 1 << 128
NAMES: dict[type, str] = {
    **{int: "a whole number", float: "a number", str: "a text", bool: "true or false"},
    **{type(None): "null", list: "a list", tuple: "a list", dict: "a mapping"},
}


class NotPlainError(ValueError):
    """Data that rnnlab never writes; the message is half a sentence, such as ``'best is a text'``."""


def check_plain(value: Any, most: int = MOST) -> None:
    """Check that data are plain: null, truth values, numbers, texts, lists, and mappings by texts.

    What occurs in several places, as by YAML's aliases, counts in each.

    Raises:
        NotPlainError: if they are not, are nested deeper than ``DEEPEST``, or are more than ``most`` values.
    """
    count = 1
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise NotPlainError(f"its lists and mappings are nested deeper than {DEEPEST} levels")
        inside: Iterable[Any] = part.values() if isinstance(part, dict) else part
        if isinstance(part, dict):
            for key in part:
                if not isinstance(key, str):
                    raise NotPlainError(f"it has the key {str(key)[:40]}, which is no text")
        elif not isinstance(part, list):
            check_scalar(part)
            continue
        count += len(part)
        if count > most:
            raise NotPlainError(f"it unfolds to more than {most:,} values")
        waiting.extend((one, depth + 1) for one in inside if type(one) is not str)


def check_scalar(value: Any) -> None:
    """Check that a value is plain.

    Raises:
        NotPlainError: if it is not.
    """
    if type(value) not in (str, int, float, bool, type(None)):
        raise NotPlainError(f"it holds a {type(value).__name__}")
    if type(value) is int and abs(value) > LARGEST_INTEGER:
        raise NotPlainError("it holds a whole number of hundreds of digits")


def check_shape(value: Any, shape: Shape) -> None:
    """Check that data are of a shape.

    Raises:
        NotPlainError: naming the first place where they are not.

    >>> check_shape({"jobs": {"a": ["seed=1"]}}, {"jobs": {str: [str]}, "pruned?": [str]})
    >>> check_shape({"best": {"loss": "low"}}, {"best": {str: NUMBER}})
    Traceback (most recent call last):
    ...
    rnnlab.files.plain_file.NotPlainError: best.loss is a text, not a number
    """
    problem = misfit(value, shape, "")
    if problem is not None:
        raise NotPlainError(problem)


def misfit(value: Any, shape: Shape, place: str) -> str | None:
    """Return where, and how, data are not of a shape; None where they are."""
    if isinstance(shape, list):
        if not isinstance(value, list | tuple):
            return unlike(value, place, "a list")
        parts = ((f"{place}[{number}]", one, shape[0]) for number, one in enumerate(value))
        return next(filter(None, (misfit(one, inner, where) for where, one, inner in parts)), None)
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            return unlike(value, place, "a mapping")
        return misfit_inside(value, shape, place)
    kinds = shape if isinstance(shape, tuple) else (shape,)
    if (type(value) is bool and not {bool, object} & set(kinds)) or not isinstance(value, kinds):
        named = [kind for kind in kinds if not (kind is int and float in kinds)]
        return unlike(value, place, " or ".join(NAMES.get(kind, kind.__name__) for kind in named))
    return None


def misfit_inside(mapping: Mapping[Any, Any], shape: Mapping[Any, Shape], place: str) -> str | None:
    """Return the first misfit among a mapping's values; None where there is none."""
    below = f"{place}." if place else ""
    for name, inner in shape.items():
        if name is str:
            every = (misfit(value, inner, f"{below}{key}") for key, value in mapping.items())
            problem = next(filter(None, every), None)
        else:
            key, may_lack = name.removesuffix("?"), name.endswith("?")
            if may_lack and mapping.get(key) is None:
                continue
            if key not in mapping:
                return f"it lacks {below}{key}"
            problem = misfit(mapping[key], inner, f"{below}{key}")
        if problem is not None:
            return problem
    return None


def unlike(value: Any, place: str, wanted: str) -> str:
    """Return half a sentence on a value of the wrong kind."""
    return f"{place or 'its content'} is {NAMES.get(type(value), f'a {type(value).__name__}')}, not {wanted}"


LARGEST_YAML = 4 << 20
"""Bytes of a configuration or of a sweep's list of jobs: ten thousand jobs have 2 MB."""
MOST_IN_YAML = 500_000
"""Values that a file may unfold to, what is repeated by aliases included."""
_LONGEST_NUMBER = 1000
# libyaml's parser where PyYAML was built with it: ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Half a surrogate pair, escaped: libyaml refuses it, and no text should hold it.
_ESCAPED_HALF = re.compile(r"(?<!\\)((?:\\\\)*)\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def read_yaml(path: Path, shape: Shape, *, mend: str = "") -> Any:
    """Return what a YAML file holds, as :func:`read_json` does."""
    return checked(parsed_yaml, path, shape, LARGEST_YAML, mend)


def parsed_yaml(text: str) -> Any:
    """Return the value that a YAML text spells; no alias may make much of little.

    >>> parsed_yaml("layers: 2")
    {'layers': 2}

    Raises:
        NotPlainError: if it is no YAML, nested too deep, unfolds to too much, or is more than plain data.
    """
    text = _ESCAPED_HALF.sub(r"\1\\uFFFD", text)
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
    check_plain(value, MOST_IN_YAML)
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
        if count > MOST_IN_YAML:
            raise NotPlainError(f"it unfolds to more than {MOST_IN_YAML:,} values")


LARGEST_JSON = 16 << 20
"""Bytes of a file of figures or notes."""
_HALF_A_LETTER = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path, shape: Shape, *, largest: int = LARGEST_JSON, mend: str = "") -> Any:
    """Return what a JSON file holds.

    Args:
        path: the file.
        shape: of its content, as :data:`rnnlab.files.plain_file.Shape` says.
        largest: bytes that it can have.
        mend: a sentence on what to do if it is damaged.

    Raises:
        FileNotFoundError: if there is none.
        DamagedFileError: if it is no JSON, too large, too deep, unfolds to too much, or is of another shape.
    """
    return checked(parsed_json, path, shape, largest, mend)


def checked(parse: Callable[[str], Any], path: Path, shape: Shape, largest: int, mend: str) -> Any:
    """Return what a file holds that :func:`read_json` or :func:`read_yaml` reads."""
    try:
        content = parse(text_of(path, largest, mend))
        check_shape(content, shape)
    except NotPlainError as error:
        raise damaged(path, error, mend) from error
    return content


def parsed_json(text: str) -> Any:
    r"""Return the value that a JSON text spells; half a surrogate pair is read as U+FFFD.

    >>> parsed_json('{"text": "\\ud800 and \\ud83d\\ude00"}')
    {'text': '� and 😀'}

    Raises:
        NotPlainError: if it is none, nested too deep, or holds a number of hundreds of digits.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise NotPlainError("its lists and mappings are nested too deep") from error
    except ValueError as error:  # JSONDecodeError is one, and what Python says of numbers that are too long
        raise NotPlainError(f"it is no JSON ({error})") from error
    check_plain(value)
    return mended(value) if _HALF_A_LETTER.search(text) else value


def mended(value: Any) -> Any:
    """Return plain data with all texts well formed."""
    if isinstance(value, dict):
        return {well_formed(key): mended(part) for key, part in value.items()}
    if isinstance(value, list):
        return [mended(part) for part in value]
    return well_formed(value) if isinstance(value, str) else value

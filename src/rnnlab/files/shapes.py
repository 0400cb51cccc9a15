"""Plain data out of a file: that it is no more than plain, no deeper than it may be, and of the right shape.

A shape is written as the data look: ``{"epoch": int, "best?": {str: NUMBER}, "jobs": {str: [str]}}`` is a
mapping with a whole number, perhaps a mapping of numbers by any names, and a mapping of lists of texts.
"""

from collections.abc import Iterable, Mapping
from typing import Any

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
            check_keys(part)
        elif not isinstance(part, list):
            check_scalar(part)
            continue
        count += len(part)
        if count > most:
            raise NotPlainError(f"it unfolds to more than {most:,} values")
        waiting.extend((one, depth + 1) for one in inside if type(one) is not str)


def check_keys(mapping: Mapping[Any, Any]) -> None:
    """Check that all keys are texts.

    Raises:
        NotPlainError: naming one that is none.
    """
    for key in mapping:
        if not isinstance(key, str):
            raise NotPlainError(f"it has the key {str(key)[:40]}, which is no text")


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
    rnnlab.files.shapes.NotPlainError: best.loss is a text, not a number
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
